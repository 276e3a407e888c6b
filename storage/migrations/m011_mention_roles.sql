-- What a place is named as: the place of the news, or only its dateline or a seat of offices.

ALTER TABLE document_mentions ADD COLUMN role TEXT NOT NULL DEFAULT '';
DROP VIEW article_places;
DROP VIEW mentions;
CREATE VIEW mentions AS SELECT
    d.article_id, m.kind, m.code, m.name, m.count, m.sentence, m.role
FROM document_mentions AS m JOIN documents AS d ON d.id = m.document_id WHERE d.is_head = 1;
CREATE VIEW article_places AS SELECT
    m.article_id, p.code, p.kind, p.name, p.province_code, p.lat, p.lon, m.count, m.sentence, m.role
FROM mentions AS m JOIN places AS p ON p.code = m.code WHERE m.kind = 'place' AND p.lat IS NOT NULL;
