"""The homework's command: see homework."""

import sys

from vaelib.classroom.exercises import homework

sys.exit(homework.main())
