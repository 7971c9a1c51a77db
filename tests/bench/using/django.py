"""Its templates, translations and lazy objects."""

# /// script
# dependencies = ["django"]
# [tool.libraries]
# kind = "proxies"
# ///

import django
from django.conf import settings
from django.template import engines
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy
from using.pair import pair

settings.configure(TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}], USE_I18N=True)
django.setup()
template = engines["django"].from_string("{% for place in places %}{{ word }} {{ place }} {% endfor %}")


def work(number):
    page = SimpleLazyObject(lambda: template.render({"places": range(300), "word": gettext_lazy("job")}))
    return len(page), page, number


leak, clean = pair(work)
