"""What a terminal shows: tables, articles, work in progress, safe whatever strangers wrote."""
