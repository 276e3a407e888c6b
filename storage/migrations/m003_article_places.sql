-- Articles on the map.

-- One row for each place that an article names and the gazetteer has on the map: what a map of the news is drawn from.
CREATE VIEW article_places AS SELECT
    m.article_id, p.code, p.kind, p.name, p.province_code, p.lat, p.lon, m.count, m.sentence
FROM mentions AS m JOIN places AS p ON p.code = m.code WHERE m.kind = 'place' AND p.lat IS NOT NULL;
