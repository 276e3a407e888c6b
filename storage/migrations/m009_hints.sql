-- Wishes of publishers that outlive a 304.

-- What a feed's document asks of polling, as JSON. It holds until the document is read again.
ALTER TABLE sources ADD COLUMN hints TEXT NOT NULL DEFAULT '{}';
