"""Asks Kafka where the topics end, beside the reading, so that no slow answer holds it up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from orders_service.apply import Partition
from orders_service.progress import Ends

ASK_SECONDS = 1.0
ANSWER_SECONDS_MAX = 5.0
log = logging.getLogger(__name__)


class Asking(threading.Thread):
    def __init__(self, admin: Callable[[], AdminClient], partitions: list[Partition]) -> None:
        super().__init__(name="ends", daemon=True)
        self._admin, self._partitions = admin, partitions
        self._stop = threading.Event()
        self.latest: Ends | None = None
        """Replaced as a whole, so that the reading may look at it without a lock."""

    def run(self) -> None:
        client = self._admin()
        while not self._stop.is_set():
            try:
                self.latest = self._ask(client)
            except (KafkaException, TimeoutError) as failure:
                log.warning("cannot ask where the topics end: %s", failure)
                # After a change of leaders this client asks with the former leader's epoch for ever, and is refused, much like
                # consumers once were: https://github.com/confluentinc/librdkafka/issues/4620. A new one knows no epoch yet.
                client = self._admin()
            self._stop.wait(ASK_SECONDS)

    def _ask(self, client: AdminClient) -> Ends:
        asked_at = time.time()
        wanted = {TopicPartition(topic, partition): OffsetSpec.latest() for topic, partition in self._partitions}
        answers = client.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ANSWER_SECONDS_MAX)
        offsets = {(one.topic, one.partition): answer.result(ANSWER_SECONDS_MAX * 2).offset for one, answer in answers.items()}
        return Ends(asked_at, offsets)

    def stop(self) -> None:
        self._stop.set()
