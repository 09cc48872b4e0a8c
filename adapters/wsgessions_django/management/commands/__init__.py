"""``manage.py wsgessions`` and ``manage.py clearsessions``."""
