-- Articles by the tags that people gave them.

-- What people call articles. The index is read by the view and by every search for a tag.
CREATE INDEX marks_by_tag ON marks (value COLLATE NOCASE, key) WHERE label = 'tag';

CREATE VIEW tags AS SELECT DISTINCT d.article_id, m.value AS tag
FROM marks AS m CROSS JOIN documents AS d ON d.key = m.key WHERE m.label = 'tag';
