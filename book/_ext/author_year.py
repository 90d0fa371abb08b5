"""The list of references in the style of the citations: Lu, Z., & Wang, Y. (2025). Title. *Journal*, 19, 61. DOI."""

from dataclasses import dataclass, field

import sphinxcontrib.bibtex.plugin
from pybtex.plugin import register_plugin
from pybtex.style.formatting import toplevel
from pybtex.style.formatting.unsrt import Style, pages
from pybtex.style.template import field as value
from pybtex.style.template import href, join, names, optional, sentence, tag, words
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle


class AuthorYear(Style):
    """Authors and year first, sorted by them."""

    default_name_style, default_sorting_style = "lastfirst", "author_year_title"

    def __init__(self, **options):
        super().__init__(**options | {"abbreviate_names": True})

    def head(self):
        """Authors (year)."""
        return words[names("author", sep=", ", sep2=", & ", last_sep=", & "), join["(", value("year"), ")."]]

    def place(self, name):
        """Journal or proceedings, volume (number), pages."""
        volume = optional[join[value("volume"), optional["(", value("number"), ")"]]]
        return sentence[tag("em")[value(name)], volume, optional[pages]]

    def format_title(self, entry, which_field, as_sentence=True):
        """The title as it is written."""
        return sentence[value(which_field)] if as_sentence else value(which_field)

    def format_doi(self, entry):
        """The address of the paper."""
        address = join["https://doi.org/", value("doi", raw=True)]
        return href(address)[address]

    def get_article_template(self, entry):
        """Called by pybtex for an article."""
        return toplevel[self.head(), self.format_title(entry, "title"), self.place("journal"), self.format_doi(entry)]

    def get_inproceedings_template(self, entry):
        """Called by pybtex for a paper in proceedings."""
        place = words["In", self.place("booktitle")]
        return toplevel[self.head(), self.format_title(entry, "title"), place, self.format_doi(entry)]


def _round():
    return BracketStyle(left="(", right=")")


@dataclass
class AuthorYearRound(AuthorYearReferenceStyle):
    """Citations as (Lu and Wang, 2025) and Lu and Wang (2025)."""

    bracket_textual: BracketStyle = field(default_factory=_round)
    bracket_parenthetical: BracketStyle = field(default_factory=_round)


def setup(app):
    """Called by Sphinx, before bibtex reads its configuration."""
    register_plugin("pybtex.style.formatting", "author_year", AuthorYear)
    sphinxcontrib.bibtex.plugin.register_plugin(
        "sphinxcontrib.bibtex.style.referencing", "author_year_round", AuthorYearRound
    )
    return {"parallel_read_safe": True}
