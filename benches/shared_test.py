"""benches/shared fails when an ack writes to what all workers write."""

import subprocess
import unittest
from pathlib import Path

SHARED = Path(__file__).resolve().parent / "shared"


class Shared(unittest.TestCase):
    def test_a_count_of_all_workers_is_found(self):
        done = subprocess.run([SHARED, "--spoil"], capture_output=True, text=True, timeout=1200)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"\n +2\.00 workers::hot::shared::spoil\n", "one write of each worker, by its name")
        self.assertIn("FAILED: an ack writes to what another worker writes too", done.stdout)
        self.assertNotIn("FAILED: a broadcast", done.stdout)


if __name__ == "__main__":
    unittest.main()
