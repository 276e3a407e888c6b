"""The task that reads a page in a worker, by its name: crawl, check and reprocess.

Whoever hands it on need not import what it needs.
"""

from crawler.workers import Task
from storage.model import Landing

PROCESS_PAGE: Task[Landing] = Task("crawler.intake", "process_page_in_worker")
