// The Python of the tests, with the packages of clients/python/requirements.txt.

import { fileURLToPath } from "node:url";

export const PYTHON = fileURLToPath(new URL("../clients/python/.venv/bin/python", import.meta.url));
