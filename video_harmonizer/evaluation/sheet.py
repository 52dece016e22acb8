"""The page of an evaluation: one HTML file with its pictures inside, for any browser and without scripts."""

from collections.abc import Sequence

import jinja2

from video_harmonizer.evaluation.compare_gallery import ComparisonGallery
from video_harmonizer.evaluation.gallery import Gallery

_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ title }}</title>
<style>
  body { font: 15px/1.4 system-ui, sans-serif; color: #222; background: #fff; margin: 2em auto; max-width: 1360px;
         padding: 0 1em; }
  h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2.5em; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { padding: .2em .8em; text-align: right; } td:first-child, td:nth-child(2) { text-align: left; }
  tr:has(td:first-child:not(:empty)) > * { border-top: 1px solid #ccc; }
  article { margin: 1.2em 0; } article p { margin: 0 0 .3em; }
  .row { display: flex; flex-wrap: wrap; gap: 6px; align-items: flex-start; }
  figure { margin: 0; } figcaption { font-size: 12px; color: #666; }
  img { display: block; max-width: 256px; }
  svg { width: 200px; height: 200px; border: 1px solid #bbb; background: #fafafa; }
  polyline { fill: none; stroke-width: 2.5; }
</style>
<h1>{{ title }}</h1>
<table>
<tr>{% for heading in headings %}<th>{{ heading }}</th>{% endfor %}</tr>
{% for row in rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% for note in notes %}<p>{{ note }}</p>
{% endfor %}
{% for section in sections %}
<h2>{{ section.title }}</h2>
{% for exhibit in section.exhibits() %}{% set case = exhibit.case %}
<article>
<p><b>{{ case.entry.subset }}/{{ case.entry.name }}</b>: {{ "%.1f" | format(100 * case.share) }} % foreground,
{{ exhibit.note }}</p>
<div class="row">
{% for caption, uri in exhibit.pictures.items() %}
<figure><img src="{{ uri }}" alt="{{ caption }}"><figcaption>{{ caption }}</figcaption></figure>
{% endfor %}
{% if exhibit.curves %}
<figure><svg viewBox="0 0 255 255"><polyline points="0,255 255,0" stroke="#bbb" stroke-dasharray="6"/>
{% for color, points in exhibit.curves.items() %}<polyline points="{{ points }}" stroke="{{ color }}"/>
{% endfor %}</svg><figcaption>curves: level before → after</figcaption></figure>
{% endif %}
</div>
</article>
{% endfor %}{% endfor %}
</html>
"""


def page(title: str, rows: Sequence[Sequence[str]], notes: Sequence[str], gallery: Gallery | ComparisonGallery) -> str:
    """The HTML text.

    Args:
        rows: of the table, the headings first.
        notes: sentences below the table.
    """
    template = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    return template.render(title=title, headings=rows[0], rows=rows[1:], notes=notes, sections=gallery.sections)
