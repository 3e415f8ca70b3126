"""Reports of experiments: what was measured beside what was published, as a page of HTML and of Markdown."""
