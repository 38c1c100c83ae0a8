package org.xenolith.xen.xenstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.xen.xenstore.Requests.DIRECTORY;
import static org.xenolith.xen.xenstore.Requests.MKDIR;
import static org.xenolith.xen.xenstore.Requests.READ;
import static org.xenolith.xen.xenstore.Requests.RM;
import static org.xenolith.xen.xenstore.Requests.TRANSACTION_END;
import static org.xenolith.xen.xenstore.Requests.TRANSACTION_START;
import static org.xenolith.xen.xenstore.Requests.WRITE;

import org.junit.jupiter.api.Test;

class TransactionTest {
  private final StoreClient c = new StoreClient();

  private int start() {
    return Integer.parseInt(c.ask(TRANSACTION_START, "\0"));
  }

  @Test
  void changesAreSeenOutsideOnlyOnceCommitted() {
    int t = start();
    assertThat(c.ask(WRITE, t, "data/a\0v")).isEqualTo("OK");
    assertThat(c.ask(READ, t, "data/a\0")).isEqualTo("v");
    assertThat(c.ask(READ, "data/a\0")).isEqualTo("ENOENT");
    assertThat(c.ask(TRANSACTION_END, t, "T\0")).isEqualTo("OK");
    assertThat(c.ask(READ, "data/a\0")).isEqualTo("v");
    assertThat(c.ask(DIRECTORY, "data\0")).isEqualTo("a");
  }

  @Test
  void anAbortedTransactionLeavesNothing() {
    c.ask(WRITE, "data/a\0v");
    int t = start();
    c.ask(RM, t, "data/a\0");
    assertThat(c.ask(READ, t, "data/a\0")).isEqualTo("ENOENT");
    assertThat(c.ask(TRANSACTION_END, t, "F\0")).isEqualTo("OK");
    assertThat(c.ask(READ, "data/a\0")).isEqualTo("v");
  }

  @Test
  void aChangeOfWhatWasReadMakesItFail() {
    c.ask(WRITE, "data/a\0v");
    int t = start();
    c.ask(READ, t, "data/a\0");
    c.ask(WRITE, t, "data/b\0v");
    c.ask(WRITE, "data/a\0w");
    assertThat(c.ask(TRANSACTION_END, t, "T\0")).isEqualTo("EAGAIN");
    assertThat(c.ask(READ, "data/b\0")).isEqualTo("ENOENT");
    assertThat(c.ask(TRANSACTION_END, t, "T\0")).as("it is gone").isEqualTo("ENOENT");
  }

  @Test
  void whatOthersRemovedMeanwhileCanBeRemovedInIt() {
    c.ask(WRITE, "data/a/b\0v");
    int t = start();
    c.ask(READ, t, "data/a\0");
    c.ask(RM, "data/a/b\0");
    assertThat(c.ask(RM, t, "data/a\0")).isEqualTo("OK");
    assertThat(c.ask(TRANSACTION_END, t, "T\0")).isEqualTo("EAGAIN");
    c.ask(WRITE, "data/a/b\0v");
    t = start();
    c.ask(READ, t, "data/a/b\0");
    c.ask(RM, "data/a\0");
    assertThat(c.ask(RM, t, "data/a/b\0")).as("its parent is gone").isEqualTo("EINVAL");
    assertThat(c.ask(TRANSACTION_END, t, "F\0")).isEqualTo("OK");
  }

  @Test
  void aNodeThatCameToBeMakesItFail() {
    int t = start();
    assertThat(c.ask(READ, t, "data/a\0")).isEqualTo("ENOENT");
    c.ask(WRITE, "data/a\0v");
    assertThat(c.ask(TRANSACTION_END, t, "T\0")).isEqualTo("EAGAIN");
  }

  @Test
  void changesElsewhereDoNotMatter() {
    int t = start();
    c.ask(WRITE, t, "data/a\0v");
    c.ask(WRITE, "feature/b\0v");
    assertThat(c.ask(TRANSACTION_END, t, "T\0")).isEqualTo("OK");
  }

  @Test
  void ofTwoThatReadWhatTheOtherWritesTheSecondFails() {
    c.ask(WRITE, "data/a\0v");
    c.ask(WRITE, "feature/b\0v");
    int first = start();
    int second = start();
    c.ask(READ, first, "data/a\0");
    c.ask(READ, second, "feature/b\0");
    c.ask(WRITE, first, "feature/b\0w");
    c.ask(WRITE, second, "data/a\0w");
    assertThat(c.ask(TRANSACTION_END, first, "T\0")).isEqualTo("OK");
    assertThat(c.ask(TRANSACTION_END, second, "T\0")).isEqualTo("EAGAIN");
  }

  @Test
  void treesRemovedInATransactionAreGoneAfterIt() {
    c.ask(WRITE, "data/a/b\0v");
    int t = start();
    c.ask(RM, t, "data/a\0");
    c.ask(WRITE, t, "data/a\0new");
    assertThat(c.ask(TRANSACTION_END, t, "T\0")).isEqualTo("OK");
    assertThat(c.ask(READ, "data/a\0")).isEqualTo("new");
    assertThat(c.ask(READ, "data/a/b\0")).isEqualTo("ENOENT");
  }

  @Test
  void wrongUsesGetTheirErrors() {
    assertThat(c.ask(READ, 99, "name\0")).isEqualTo("ENOENT");
    assertThat(c.ask(TRANSACTION_END, 0, "T\0")).isEqualTo("ENOENT");
    int t = start();
    assertThat(c.ask(TRANSACTION_START, t, "\0")).isEqualTo("EBUSY");
    assertThat(c.ask(TRANSACTION_END, t, "X\0")).isEqualTo("EINVAL");
    assertThat(c.ask(TRANSACTION_END, t, "F\0")).isEqualTo("OK");
  }

  @Test
  void transactionsAreBoundedInNumberAndNodes() {
    int t = start();
    for (int i = 2; i < 10; i++) {
      start();
    }
    assertThat(c.ask(TRANSACTION_START, "\0")).isEqualTo("ENOSPC");
    String answer = "OK";
    int made = 0;
    while (answer.equals("OK") && made < 2000) {
      answer = c.ask(MKDIR, t, "data/" + made / 100 + "/" + made % 100 + "\0");
      made++;
    }
    assertThat(answer).isEqualTo("ENOSPC");
    assertThat(made).isLessThan(1000);
  }
}
