"""How gunicorn serves this application: ``gunicorn --config sample_app/gunicorn_config.py``."""

wsgi_app = "sample_app:create_app()"
workers = 2
# With threads a browser that holds its connection open stops nobody.
threads = 4
# Nobody steers this server from outside, and each such server would want the same socket.
control_socket_disable = True
