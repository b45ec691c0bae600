"""Puts tables that a program makes between two comments of a page."""

END = "<!-- end of what is written -->"


def start(name):
    return f"<!-- written from the data: {name} -->"


def with_tables(text, tables):
    """Return a page whose tables are those that *tables* make: name -> lines."""
    for name, lines in tables.items():
        before, comment, rest = text.partition(start(name))
        table = "\n".join(lines())
        text = f"{before}{comment}\n\n{table}\n\n{END}{rest.partition(END)[2]}"
    return text


def write(page, tables):
    page.write_text(with_tables(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
