"""What gunicorn serves: the application, built anew in each worker after the fork."""

from api import create_app
from service.settings import Settings

app = create_app(Settings.from_environment())
