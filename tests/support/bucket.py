"""A bucket that speaks S3's protocol, as far as whole objects need it."""

from tests.support.http_stub import Answer, Received

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "a-very-secret-key"}
"""What it takes."""


class Bucket:
    """PUT, GET and HEAD of whole objects, in memory; for `http_stub`."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.is_down = False
        """Whether it answers that it is unavailable."""
        self.refused = 0
        """The number of requests that it answered so."""

    def __call__(self, request: Received) -> Answer:
        if self.is_down:
            self.refused += 1
            return Answer(b"<Error><Code>ServiceUnavailable</Code></Error>", 503)
        if "AKIATEST" not in request.headers.get("authorization", ""):
            return Answer(b"<Error><Code>AccessDenied</Code></Error>", 403)
        if request.method == "PUT":
            self.objects[request.path] = (request.body, request.headers.get("content-type", ""))
            return Answer(headers={"etag": '"1"'})
        found = self.objects.get(request.path)
        if found is None:
            return Answer(b"<Error><Code>NoSuchKey</Code></Error>", 404)
        stamp = {"etag": '"1"', "last-modified": "Sat, 01 Aug 2026 00:00:00 GMT", "content-type": found[1]}
        return Answer(found[0], 200, stamp)
