package org.xenolith.xen.xenstore;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Answers the requests of clients: what each message type takes and gives (docs/misc/xenstore.txt, process_message in core.c). */
final class Requests {
  /** Message types (enum xsd_sockmsg_type). */
  static final int CONTROL = 0, DIRECTORY = 1, READ = 2, GET_PERMS = 3, WATCH = 4, UNWATCH = 5, TRANSACTION_START = 6, TRANSACTION_END = 7;

  static final int INTRODUCE = 8, RELEASE = 9, GET_DOMAIN_PATH = 10, WRITE = 11, MKDIR = 12, RM = 13, SET_PERMS = 14, ERROR = 16;
  static final int IS_DOMAIN_INTRODUCED = 17, RESUME = 18, SET_TARGET = 19, RESET_WATCHES = 21, DIRECTORY_PART = 22, GET_FEATURE = 23;
  static final int SET_FEATURE = 24, GET_QUOTA = 25, SET_QUOTA = 26;

  /** What the C xenstored offers in the ring page: an error field, watches with a depth, permissions for every domain. */
  static final int FEATURES = 2 | 4 | 8;

  private static final byte[] OK = XenStore.bytes("OK\0");

  private final XenStore store;

  Requests(XenStore store) {
    this.store = store;
  }

  /** Answers a request of a domain without privilege: one reply is queued, and perhaps events. */
  void answer(Connection client, int type, int requestId, int transactionId, byte[] payload) {
    try {
      byte[] result = perform(client, type, transactionId, payload);
      if (result.length > XenStore.MAX_PAYLOAD) {
        throw StoreError.E2BIG;
      }
      reply(client, type, requestId, transactionId, result);
      if (type == WATCH) {
        store.fireFirst(client);
      }
    } catch (StoreError e) {
      reply(client, ERROR, requestId, transactionId, XenStore.bytes(e.getMessage() + '\0'));
    }
  }

  private static void reply(Connection client, int type, int requestId, int transactionId, byte[] payload) {
    client.send(new Connection.Message(XenStore.message(type, requestId, transactionId, payload), null));
  }

  private byte[] perform(Connection client, int type, int transactionId, byte[] payload) throws StoreError {
    switch (type) {
      case CONTROL, INTRODUCE, RELEASE, IS_DOMAIN_INTRODUCED, RESUME, SET_TARGET, SET_FEATURE, GET_QUOTA, SET_QUOTA ->
          // The toolstack's alone.
          throw StoreError.EACCES;
      case WATCH -> {
        return watch(client, payload);
      }
      case UNWATCH -> {
        List<String> arguments = strings(payload);
        require(arguments.size() == 2);
        store.unwatch(client, arguments.get(0), arguments.get(1));
        return OK;
      }
      default -> {
        Transaction transaction = transactionId == 0 ? null : client.transactions.get(transactionId);
        if (transactionId != 0 && transaction == null && known(type)) {
          throw StoreError.ENOENT;
        }
        return perform(client, type, transaction, payload);
      }
    }
  }

  private static boolean known(int type) {
    return type >= 0 && type <= SET_QUOTA && type != XenStore.WATCH_EVENT && type != ERROR && type != SET_TARGET + 1;
  }

  private byte[] perform(Connection client, int type, Transaction transaction, byte[] payload) throws StoreError {
    switch (type) {
      case DIRECTORY -> {
        return children(store.get(client, transaction, only(payload), Permission.READ, false));
      }
      case DIRECTORY_PART -> {
        return directoryPart(client, transaction, payload);
      }
      case READ -> {
        return store.get(client, transaction, only(payload), Permission.READ, false).data();
      }
      case GET_PERMS -> {
        StringBuilder text = new StringBuilder();
        for (Permission permission : store.get(client, transaction, only(payload), Permission.READ, true).permissions()) {
          text.append(permission).append('\0');
        }
        return XenStore.bytes(text.toString());
      }
      case TRANSACTION_START -> {
        if (transaction != null) {
          throw StoreError.EBUSY;
        }
        return XenStore.bytes(Integer.toUnsignedString(store.start(client).id) + '\0');
      }
      case TRANSACTION_END -> {
        String how = only(payload);
        require("T".equals(how) || "F".equals(how));
        if (transaction == null) {
          throw StoreError.ENOENT;
        }
        store.end(client, transaction, how.equals("T"));
        return OK;
      }
      case GET_DOMAIN_PATH -> {
        String domid = only(payload);
        require(domid != null && domid.matches("[0-9]{0,9}"));
        int number = domid.isEmpty() ? 0 : Integer.parseInt(domid);
        require(number <= 0xffff);
        return XenStore.bytes("/local/domain/" + number + '\0');
      }
      case WRITE -> {
        int end = nul(payload, 0);
        require(end >= 0);
        store.write(client, transaction, string(payload, 0, end), Arrays.copyOfRange(payload, end + 1, payload.length));
        return OK;
      }
      case MKDIR -> {
        store.makeDirectory(client, transaction, only(payload));
        return OK;
      }
      case RM -> {
        store.remove(client, transaction, only(payload));
        return OK;
      }
      case SET_PERMS -> {
        List<String> arguments = strings(payload);
        require(arguments.size() >= 2);
        List<Permission> permissions = new ArrayList<>();
        for (String argument : arguments.subList(1, arguments.size())) {
          permissions.add(Permission.parse(argument));
        }
        store.setPermissions(client, transaction, arguments.getFirst(), permissions);
        return OK;
      }
      case RESET_WATCHES -> {
        client.reset();
        return OK;
      }
      case GET_FEATURE -> {
        if (!strings(payload).isEmpty()) {
          throw StoreError.EACCES;
        }
        return XenStore.bytes(FEATURES + "\0");
      }
      default -> throw StoreError.ENOSYS;
    }
  }

  private byte[] watch(Connection client, byte[] payload) throws StoreError {
    List<String> arguments = strings(payload);
    require(arguments.size() == 2 || arguments.size() == 3);
    int depth = arguments.size() == 3 ? decimal(arguments.get(2)) : -1;
    require(arguments.size() == 2 || depth >= 0);
    store.watch(client, arguments.get(0), arguments.get(1), depth);
    return OK;
  }

  private byte[] directoryPart(Connection client, Transaction transaction, byte[] payload) throws StoreError {
    List<String> arguments = strings(payload);
    require(arguments.size() == 2);
    StoreNode node = store.get(client, transaction, arguments.get(0), Permission.READ, false);
    byte[] children = children(node);
    String generation = Long.toUnsignedString(node.generation()) + '\0';
    int offset = decimal(arguments.get(1));
    if (Integer.compareUnsigned(offset, children.length) >= 0) {
      return XenStore.bytes(generation + '\0');
    }
    int room = XenStore.MAX_PAYLOAD - generation.length() - 1;
    int end = offset;
    while (end < children.length && nul(children, end) - offset < room) {
      end = nul(children, end) + 1;
    }
    String part = string(children, offset, end);
    return XenStore.bytes(generation + part + (end == children.length ? "\0" : ""));
  }

  private static byte[] children(StoreNode node) {
    StringBuilder names = new StringBuilder();
    for (String child : node.children()) {
      names.append(child).append('\0');
    }
    return XenStore.bytes(names.toString());
  }

  // ---- Payloads ----

  private static void require(boolean valid) throws StoreError {
    if (!valid) {
      throw StoreError.EINVAL;
    }
  }

  /** The payload's only string, whose NUL must be its last byte; null if it is none. */
  private static String only(byte[] payload) {
    return payload.length > 0 && nul(payload, 0) == payload.length - 1 ? string(payload, 0, payload.length - 1) : null;
  }

  /** The strings of a payload; bytes behind the last NUL are left out. */
  private static List<String> strings(byte[] payload) {
    List<String> strings = new ArrayList<>();
    int start = 0;
    for (int end = nul(payload, 0); end >= 0; end = nul(payload, start)) {
      strings.add(string(payload, start, end));
      start = end + 1;
    }
    return strings;
  }

  private static int nul(byte[] bytes, int from) {
    for (int i = from; i < bytes.length; i++) {
      if (bytes[i] == 0) {
        return i;
      }
    }
    return -1;
  }

  private static String string(byte[] bytes, int from, int to) {
    return new String(bytes, from, to - from, StandardCharsets.ISO_8859_1);
  }

  /** A number as C's atoi reads it: leading digits, 0 if there are none. */
  private static int decimal(String text) {
    int sign = text.startsWith("-") ? -1 : 1;
    int start = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
    long value = 0;
    for (int i = start; i < text.length() && text.charAt(i) >= '0' && text.charAt(i) <= '9' && value <= Integer.MAX_VALUE; i++) {
      value = 10 * value + text.charAt(i) - '0';
    }
    return (int) (sign * value);
  }
}
