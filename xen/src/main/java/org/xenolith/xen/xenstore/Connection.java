package org.xenolith.xen.xenstore;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A client of the store: its watches, its transactions and the messages that wait to be sent to it. */
final class Connection {
  /**
   * A watch.
   *
   * @param path the absolute path, or a special one
   * @param prefix characters to leave out in events, of a watch on a relative path
   * @param depth levels below the path that it sees, -1 for all
   */
  record Watch(String path, String token, int prefix, int depth) {}

  /**
   * A message to the client, header included.
   *
   * @param event for a watch event what identifies it, else null
   */
  record Message(byte[] bytes, String event) {}

  final int domid;

  /** What relative paths are relative to. */
  final String home;

  final List<Watch> watches = new ArrayList<>();
  final Map<Integer, Transaction> transactions = new LinkedHashMap<>();
  final ArrayDeque<Message> out = new ArrayDeque<>();

  /** The watch events among {@link #out}, to send none twice. */
  final Set<String> events = new HashSet<>();

  /** Replies among {@link #out}. */
  int replies;

  /** Bytes of watches and of messages that wait. */
  long bytes;

  private int nextTransaction = 1;

  Connection(int domid) {
    this.domid = domid;
    this.home = "/local/domain/" + domid;
  }

  boolean privileged() {
    return domid == 0;
  }

  /** An id that no transaction of the client has; never 0. */
  int newTransactionId() {
    int id;
    do {
      id = nextTransaction++;
    } while (id == 0 || transactions.containsKey(id));
    return id;
  }

  void send(Message message) {
    out.add(message);
    bytes += message.bytes.length;
    if (message.event == null) {
      replies++;
    } else {
      events.add(message.event);
    }
  }

  /** The first message has gone. */
  void sent() {
    Message message = out.remove();
    bytes -= message.bytes.length;
    if (message.event == null) {
      replies--;
    } else {
      events.remove(message.event);
    }
  }

  void removeWatch(Watch watch) {
    watches.remove(watch);
    bytes -= watch.path.length() + watch.token.length();
  }

  void addWatch(Watch watch) {
    watches.add(watch);
    bytes += watch.path.length() + watch.token.length();
  }

  /** Forgets watches and transactions. */
  void reset() {
    for (Watch watch : List.copyOf(watches)) {
      removeWatch(watch);
    }
    transactions.clear();
  }

  /** Bytes of the client's transactions. */
  long transactionBytes() {
    long sum = 0;
    for (Transaction transaction : transactions.values()) {
      sum += transaction.bytes;
    }
    return sum;
  }
}
