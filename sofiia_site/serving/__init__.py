"""Running the console: preparing its data, starting its parts, and stopping them in order."""

from sofiia_site.serving.run import PARTS as PARTS
from sofiia_site.serving.run import Plan as Plan
from sofiia_site.serving.run import serve as serve
