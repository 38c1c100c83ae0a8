package org.xenolith.xen.xenstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.xen.xenstore.Requests.RESET_WATCHES;
import static org.xenolith.xen.xenstore.Requests.RM;
import static org.xenolith.xen.xenstore.Requests.TRANSACTION_END;
import static org.xenolith.xen.xenstore.Requests.TRANSACTION_START;
import static org.xenolith.xen.xenstore.Requests.UNWATCH;
import static org.xenolith.xen.xenstore.Requests.WATCH;
import static org.xenolith.xen.xenstore.Requests.WRITE;
import static org.xenolith.xen.xenstore.StoreClient.events;

import java.util.List;
import org.junit.jupiter.api.Test;

class WatchTest {
  private final StoreClient c = new StoreClient();

  @Test
  void aNewWatchFiresOnceBehindItsAnswer() {
    List<StoreClient.Message> messages = c.talk(WATCH, 0, "data\0tok\0");
    assertThat(messages).hasSize(2);
    assertThat(messages.get(0).payload()).isEqualTo("OK\0");
    assertThat(messages.get(1)).isEqualTo(new StoreClient.Message(15, 0, 0, "data\0tok\0"));
  }

  @Test
  void changesAtAndBelowThePathFireInTheFormInWhichItWasGiven() {
    c.talk(WATCH, 0, "data\0rel\0");
    c.talk(WATCH, 0, "/local/domain/1/data\0abs\0");
    assertThat(events(c.talk(WRITE, 0, "data/a/b\0v"))).containsExactly("data/a/b rel", "/local/domain/1/data/a/b abs");
    assertThat(events(c.talk(WRITE, 0, "data\0v"))).containsExactly("data rel", "/local/domain/1/data abs");
    assertThat(events(c.talk(WRITE, 0, "feature/a\0v"))).isEmpty();
  }

  @Test
  void theEventPrecedesTheAnswerToTheWrite() {
    c.talk(WATCH, 0, "data\0t\0");
    List<StoreClient.Message> messages = c.talk(WRITE, 0, "data\0v");
    assertThat(messages.get(0).type()).isEqualTo(XenStore.WATCH_EVENT);
    assertThat(messages.get(1).payload()).isEqualTo("OK\0");
  }

  @Test
  void theRemovalOfAParentFiresTheWatchOfItsChild() {
    c.talk(WRITE, 0, "data/a/b\0v");
    c.talk(WATCH, 0, "data/a/b\0child\0");
    c.talk(WATCH, 0, "data/a\0itself\0");
    c.talk(WATCH, 0, "data\0above\0");
    assertThat(events(c.talk(RM, 0, "data/a\0"))).containsExactly("data/a/b child", "data/a itself", "data/a above");
  }

  @Test
  void aDepthLimitsWhatIsSeen() {
    c.talk(WATCH, 0, "data\0zero\0" + "0\0");
    c.talk(WATCH, 0, "data\0one\0" + "1\0");
    assertThat(events(c.talk(WRITE, 0, "data/a\0v"))).containsExactly("data/a one");
    assertThat(events(c.talk(WRITE, 0, "data/a/b\0v"))).isEmpty();
    assertThat(events(c.talk(WRITE, 0, "data\0v"))).containsExactly("data zero", "data one");
    assertThat(c.ask(WATCH, "data\0t\0-1\0")).isEqualTo("EINVAL");
  }

  @Test
  void changesOfDomainZeroAreHeardWhereTheyMayBeRead() {
    c.talk(WATCH, 0, "control/shutdown\0t\0");
    c.talk(WATCH, 0, "/local/domain/0\0other\0");
    c.store.write("/local/domain/1/control/shutdown", "poweroff");
    c.store.write("/local/domain/0/name", "x");
    assertThat(events(c.messages())).containsExactly("control/shutdown t");
  }

  @Test
  void transactionsFireAtTheirEnd() {
    c.talk(WATCH, 0, "data\0t\0");
    int id = Integer.parseInt(c.ask(TRANSACTION_START, "\0"));
    assertThat(events(c.talk(WRITE, id, "data/a\0v"))).isEmpty();
    assertThat(events(c.talk(WRITE, id, "data/b\0v"))).isEmpty();
    assertThat(events(c.talk(TRANSACTION_END, id, "T\0"))).containsExactly("data/a t", "data/b t");
    id = Integer.parseInt(c.ask(TRANSACTION_START, "\0"));
    c.talk(WRITE, id, "data/a\0w");
    assertThat(events(c.talk(TRANSACTION_END, id, "F\0"))).isEmpty();
  }

  @Test
  void watchesEndWithUnwatchAndReset() {
    c.talk(WATCH, 0, "data\0a\0");
    c.talk(WATCH, 0, "data\0b\0");
    assertThat(c.ask(WATCH, "data\0a\0")).isEqualTo("EEXIST");
    assertThat(c.ask(UNWATCH, "data\0x\0")).isEqualTo("ENOENT");
    assertThat(c.ask(UNWATCH, "data\0a\0")).isEqualTo("OK");
    assertThat(events(c.talk(WRITE, 0, "data\0v"))).containsExactly("data b");
    assertThat(c.ask(RESET_WATCHES, "\0")).isEqualTo("OK");
    assertThat(events(c.talk(WRITE, 0, "data\0v"))).isEmpty();
  }

  @Test
  void specialWatchesAreTaken() {
    assertThat(events(c.talk(WATCH, 0, "@releaseDomain\0t\0"))).containsExactly("@releaseDomain t");
  }

  @Test
  void watchesAreBounded() {
    int made = 0;
    while (c.ask(WATCH, "data\0" + made + "\0").equals("OK")) {
      made++;
    }
    assertThat(made).isEqualTo(127);
    assertThat(c.ask(WATCH, "data\0more\0")).isEqualTo("ENOSPC");
  }

  @Test
  void anEventThatAlreadyWaitsIsNotSentTwice() {
    c.talk(WATCH, 0, "data\0t\0");
    // The ring is full of replies first, so that events have to wait.
    c.memory.writeInt(StoreClient.RSP_PROD, 1024 + c.memory.readInt(StoreClient.RSP_CONS));
    for (int i = 0; i < 5; i++) {
      c.put(c.request(WRITE, 0, "data/a\0v"), 0);
      c.event();
    }
    c.memory.writeInt(StoreClient.RSP_CONS, c.memory.readInt(StoreClient.RSP_PROD));
    assertThat(events(c.messages())).containsExactly("data/a t");
  }
}
