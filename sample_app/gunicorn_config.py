"""How gunicorn serves this application: ``gunicorn --config sample_app/gunicorn_config.py``."""

wsgi_app = "sample_app:create_app()"
workers = 2
# With threads, a browser that keeps its connection open does not block others.
threads = 4
# Nobody needs the control socket, and several servers would compete for the same one.
control_socket_disable = True
