"""When an article was published and when it was changed, from everything that its page and its feed say of it. Pure."""

from crawler.datetexts import LONGEST, Dated, parse

__all__ = ["LONGEST", "Dated", "parse"]
