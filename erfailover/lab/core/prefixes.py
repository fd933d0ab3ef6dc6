"""A name of ``addresses`` that ``providers`` still imports from here."""

from erfailover.lab.core.addresses import holds as holds
