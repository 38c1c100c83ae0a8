package org.xenolith.xen.xenstore;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.xenolith.xen.xenstore.Connection.Watch;
import org.xenolith.xen.xenstore.Transaction.Accessed;

/**
 * The tree that a machine's domains share, with permissions, watches and transactions, as the C xenstored keeps it (docs/misc/xenstore.txt;
 * core.c, transaction.c, watch.c, domain.c of tools/xenstored). What a domain may hold is bounded by that program's quotas.
 */
public final class XenStore {
  /** Which watches an event reaches: those on the very path, or on any path above it as well (enum watch_match). */
  enum Match {
    EXACT,
    SUBTREE
  }

  /** Quotas of domains without privilege; a count that would reach the figure is refused (domain.c). */
  private static final int MAX_NODES = 1000, MAX_NODE_BYTES = 2048, MAX_TRANSACTION_NODES = 1024, MAX_PERMISSIONS = 5;

  private static final int MAX_PATH = 2048;
  static final int MAX_WATCHES = 128, MAX_TRANSACTIONS = 10, MAX_OUTSTANDING = 20;
  private static final long MAX_BYTES = 2560 * 1024;

  /** Most bytes in a message behind its header (XENSTORE_PAYLOAD_MAX). */
  static final int MAX_PAYLOAD = 4096;

  /** Bytes of struct xsd_sockmsg. */
  static final int HEADER = 16;

  static final int WATCH_EVENT = 15;
  private static final byte[] EMPTY = new byte[0];

  private final Map<String, StoreNode> nodes = new HashMap<>();
  private final Map<Integer, Integer> nodesOwned = new HashMap<>();
  private final Map<Integer, Long> bytesOwned = new HashMap<>();
  private final List<Connection> connections = new ArrayList<>();
  private final Connection toolstack = new Connection(0);
  private long generation;

  /** Makes the store as xenstored starts it. */
  public XenStore() {
    List<Permission> closed = List.of(new Permission(0, Permission.NONE));
    List<Permission> readable = List.of(new Permission(0, Permission.NONE), new Permission(Permission.ANY_DOMAIN, Permission.READ));
    put("/", new StoreNode(EMPTY, List.of("tool"), closed, 0));
    put("/tool", new StoreNode(EMPTY, List.of("xenstored"), closed, 0));
    put("/tool/xenstored", new StoreNode(EMPTY, List.of(), closed, 0));
    put("@releaseDomain", new StoreNode(EMPTY, List.of(), readable, 0));
    put("@introduceDomain", new StoreNode(EMPTY, List.of(), closed, 0));
  }

  // ---- For programs of domain 0 ----

  /** Writes a value as domain 0 does: parents are made, watches fire. */
  public void write(String path, String value) {
    try {
      write(toolstack, null, path, bytes(value));
    } catch (StoreError e) {
      throw new IllegalArgumentException(path, e);
    }
  }

  /** Makes a node without value as domain 0 does, if it is not there. */
  public void makeNode(String path, List<Permission> permissions) {
    try {
      makeDirectory(toolstack, null, path);
      setPermissions(toolstack, null, path, permissions);
    } catch (StoreError e) {
      throw new IllegalArgumentException(path, e);
    }
  }

  /** The value at an absolute path, or null where there is no node. */
  public String read(String path) {
    StoreNode node = nodes.get(path);
    return node == null ? null : new String(node.data(), StandardCharsets.ISO_8859_1);
  }

  /** The domain for which a connection is made can use the store from now on (INTRODUCE). */
  Connection connect(int domid) {
    Connection connection = new Connection(domid);
    connections.add(connection);
    fire(null, "@introduceDomain", nodes.get("@introduceDomain"), Match.EXACT, null);
    return connection;
  }

  /** Whether a client may send more now: its replies must not pile up. */
  boolean canReceive(Connection client) {
    return client.replies < MAX_OUTSTANDING && bytesOf(client) < MAX_BYTES;
  }

  // ---- The operations (do_* in core.c, watch.c, transaction.c) ----

  StoreNode get(Connection client, Transaction t, String path, int access, boolean special) throws StoreError {
    String name = canonical(client, path, special);
    StoreNode node = read(client, t, name);
    if (node != null && (node.accessOf(client.domid) & access) == access) {
      return node;
    }
    // An answer must not give away what is in a place that the client may not look at.
    StoreNode parent = null;
    while (parent == null) {
      name = parent(name);
      parent = read(client, t, name);
    }
    throw node == null && (parent.accessOf(client.domid) & access) != 0 ? StoreError.ENOENT : StoreError.EACCES;
  }

  /** The node, or null if there is none and the client may know. */
  private StoreNode find(Connection client, Transaction t, String path, int access) throws StoreError {
    try {
      return get(client, t, path, access, false);
    } catch (StoreError e) {
      if (e == StoreError.ENOENT) {
        return null;
      }
      throw e;
    }
  }

  void write(Connection client, Transaction t, String path, byte[] data) throws StoreError {
    StoreNode node = find(client, t, path, Permission.WRITE);
    String name = canonical(client, path, false);
    if (node == null) {
      create(client, t, name, data);
    } else {
      store(client, t, name, node.withData(data));
    }
    fire(t, name, read(client, t, name), Match.SUBTREE, null);
  }

  void makeDirectory(Connection client, Transaction t, String path) throws StoreError {
    if (find(client, t, path, Permission.WRITE) == null) {
      String name = canonical(client, path, false);
      create(client, t, name, EMPTY);
      fire(t, name, read(client, t, name), Match.SUBTREE, null);
    }
  }

  void remove(Connection client, Transaction t, String path) throws StoreError {
    StoreNode node = find(client, t, path, Permission.WRITE);
    String name = canonical(client, path, false);
    if (node == null) {
      if (read(client, t, parent(name)) == null) {
        throw StoreError.ENOENT;
      }
      return;
    }
    if (name.equals("/")) {
      throw StoreError.EINVAL;
    }
    String parent = parent(name);
    if (read(client, t, parent) == null) {
      // A transaction has seen the node, and the parent first after somebody else removed it.
      throw StoreError.EINVAL;
    }
    removeTree(client, t, name, node, true);
    store(client, t, parent, read(client, t, parent).withoutChild(name.substring(name.lastIndexOf('/') + 1)));
  }

  private void removeTree(Connection client, Transaction t, String name, StoreNode node, boolean root) throws StoreError {
    for (String child : node.children()) {
      String childName = name + "/" + child;
      StoreNode childNode = read(client, t, childName);
      if (childNode != null) {
        // Else a transaction has seen the parent, and somebody else removed the child since.
        removeTree(client, t, childName, childNode, false);
      }
    }
    if (t == null) {
      generation++;
      drop(name);
    } else {
      Accessed accessed = access(client, t, name);
      t.nodes -= node.owner() == client.domid ? 1 : 0;
      t.bytes -= node.size();
      accessed.node = null;
      accessed.modified = true;
      generation++;
    }
    fire(t, name, node, root ? Match.SUBTREE : Match.EXACT, null);
  }

  void setPermissions(Connection client, Transaction t, String path, List<Permission> permissions) throws StoreError {
    if (!client.privileged()) {
      if (permissions.size() >= MAX_PERMISSIONS) {
        throw StoreError.ENOSPC;
      }
      int owner = permissions.getFirst().domid();
      if (owner != 0 && owner != Permission.ANY_DOMAIN && connections.stream().noneMatch(c -> c.domid == owner)) {
        throw StoreError.ENOENT;
      }
    }
    StoreNode node = get(client, t, path, Permission.WRITE, true);
    if (!client.privileged() && !node.permissions().getFirst().names(client.domid)) {
      throw StoreError.EACCES;
    }
    if (!client.privileged() && permissions.getFirst().domid() != node.owner()) {
      throw StoreError.EPERM;
    }
    String name = canonical(client, path, true);
    store(client, t, name, node.withPermissions(List.copyOf(permissions)));
    fire(t, name, read(client, t, name), Match.SUBTREE, node.permissions());
  }

  void watch(Connection client, String path, String token, int depth) throws StoreError {
    boolean relative = !path.startsWith("/") && !path.startsWith("@");
    String name = canonical(client, path, true);
    for (Watch watch : client.watches) {
      if (watch.path().equals(name) && watch.token().equals(token)) {
        throw StoreError.EEXIST;
      }
    }
    if (!client.privileged()) {
      if (client.watches.size() + 1 >= MAX_WATCHES) {
        throw StoreError.ENOSPC;
      }
      if (bytesOf(client) + name.length() + token.length() >= MAX_BYTES) {
        throw StoreError.ENOMEM;
      }
    }
    client.addWatch(new Watch(name, token, relative ? client.home.length() + 1 : 0, depth));
  }

  /** The event that every new watch sends once. */
  void fireFirst(Connection client) {
    Watch watch = client.watches.getLast();
    event(client, watch, watch.path());
  }

  void unwatch(Connection client, String path, String token) throws StoreError {
    String name = canonical(client, path, true);
    for (Watch watch : client.watches) {
      if (watch.path().equals(name) && watch.token().equals(token)) {
        client.removeWatch(watch);
        return;
      }
    }
    throw StoreError.ENOENT;
  }

  Transaction start(Connection client) throws StoreError {
    if (!client.privileged() && client.transactions.size() + 1 >= MAX_TRANSACTIONS) {
      throw StoreError.ENOSPC;
    }
    Transaction transaction = new Transaction(client.newTransactionId());
    generation++;
    client.transactions.put(transaction.id, transaction);
    return transaction;
  }

  /** Ends a transaction; it is gone whatever comes of it. */
  void end(Connection client, Transaction t, boolean commit) throws StoreError {
    client.transactions.remove(t.id);
    if (!commit) {
      return;
    }
    if (t.failed) {
      throw StoreError.ENOMEM;
    }
    if (!client.privileged() && t.nodes > 0 && nodesOwned.getOrDefault(client.domid, 0) + t.nodes >= MAX_NODES) {
      throw StoreError.ENOSPC;
    }
    for (Map.Entry<String, Accessed> entry : t.accessed.entrySet()) {
      StoreNode now = nodes.get(entry.getKey());
      if ((now == null ? -1 : now.generation()) != entry.getValue().generation) {
        throw StoreError.EAGAIN;
      }
    }
    for (Map.Entry<String, Accessed> entry : t.accessed.entrySet()) {
      Accessed accessed = entry.getValue();
      if (!accessed.modified) {
        continue;
      }
      if (accessed.node == null) {
        drop(entry.getKey());
      } else {
        put(entry.getKey(), accessed.node.withGeneration(++generation));
      }
      if (accessed.event != null) {
        fire(null, entry.getKey(), nodes.get(entry.getKey()), accessed.event, accessed.permissions);
      }
    }
  }

  // ---- Nodes ----

  /** The absolute name of a path, checked (canonicalize). */
  private static String canonical(Connection client, String path, boolean special) throws StoreError {
    if (path == null || path.startsWith("@") && !special) {
      throw StoreError.EINVAL;
    }
    for (int i = 0; i < path.length(); i++) {
      char c = path.charAt(i);
      if (!(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '/' || c == '_' || c == '@')) {
        throw StoreError.EINVAL;
      }
    }
    String name = path.startsWith("/") || path.startsWith("@") ? path : client.home + "/" + path;
    boolean tooLong = !client.privileged() && name.length() - homeLength(name) >= MAX_PATH;
    if (name.endsWith("/") && !name.equals("/") || name.contains("//") || tooLong) {
      throw StoreError.EINVAL;
    }
    return name;
  }

  /** Characters of a leading "/local/domain/N/", which do not count for the length of a path. */
  private static int homeLength(String name) {
    String homes = "/local/domain/";
    if (!name.startsWith(homes)) {
      return 0;
    }
    int end = homes.length();
    while (end < name.length() && end < homes.length() + 5 && Character.isDigit(name.charAt(end))) {
      end++;
    }
    return end > homes.length() && end < name.length() && name.charAt(end) == '/' ? end + 1 : 0;
  }

  private static String parent(String name) {
    int slash = name.lastIndexOf('/');
    return slash <= 0 ? "/" : name.substring(0, slash);
  }

  /** A node as the client sees it, or null. */
  private StoreNode read(Connection client, Transaction t, String name) throws StoreError {
    return t == null ? nodes.get(name) : access(client, t, name).node;
  }

  private Accessed access(Connection client, Transaction t, String name) throws StoreError {
    Accessed accessed = t.accessed.get(name);
    if (accessed == null) {
      StoreNode node = nodes.get(name);
      int size = node == null ? 0 : node.size();
      boolean tooMany = t.accessed.size() + 1 >= MAX_TRANSACTION_NODES;
      if (!client.privileged() && (tooMany || bytesOf(client) + size >= MAX_BYTES)) {
        t.failed = true;
        throw tooMany ? StoreError.ENOSPC : StoreError.ENOMEM;
      }
      accessed = new Accessed(node);
      t.bytes += size;
      t.accessed.put(name, accessed);
    }
    return accessed;
  }

  /** Makes a node and the parents that it lacks (construct_node, create_node). */
  private void create(Connection client, Transaction t, String name, byte[] data) throws StoreError {
    List<String> missing = new ArrayList<>();
    String existing = name;
    while (read(client, t, existing) == null) {
      missing.addFirst(existing);
      existing = parent(existing);
    }
    int owned = nodesOwned.getOrDefault(client.domid, 0) + (t == null ? 0 : t.nodes);
    if (!client.privileged() && owned + missing.size() >= MAX_NODES) {
      throw StoreError.ENOSPC;
    }
    StoreNode above = read(client, t, existing);
    List<Permission> inherited = new ArrayList<>(above.permissions());
    if (!client.privileged()) {
      inherited.set(0, new Permission(client.domid, inherited.getFirst().access()));
    }
    List<StoreNode> made = new ArrayList<>();
    for (int i = 0; i < missing.size(); i++) {
      boolean last = i == missing.size() - 1;
      List<String> children = last ? List.of() : List.of(leaf(missing.get(i + 1)));
      StoreNode node = new StoreNode(last ? data : EMPTY, children, List.copyOf(inherited), 0);
      checkSize(client, node, null);
      made.add(node);
    }
    // The parent takes the child last, so that a refusal leaves nothing behind.
    StoreNode parent = above.withChild(leaf(missing.getFirst()));
    checkSize(client, parent, above);
    for (int i = missing.size() - 1; i >= 0; i--) {
      store(client, t, missing.get(i), made.get(i));
    }
    store(client, t, existing, parent);
  }

  private static String leaf(String name) {
    return name.substring(name.lastIndexOf('/') + 1);
  }

  /** Refuses a node that is too large, or takes more than the client may have in all. */
  private void checkSize(Connection client, StoreNode node, StoreNode before) throws StoreError {
    if (client.privileged()) {
      return;
    }
    int size = node.size();
    boolean grows = before == null || size > before.size();
    if (grows && size >= MAX_NODE_BYTES) {
      throw StoreError.ENOSPC;
    }
    if (grows && bytesOf(client) + size >= MAX_BYTES) {
      throw StoreError.ENOMEM;
    }
  }

  /** Puts a node into the client's view. */
  private void store(Connection client, Transaction t, String name, StoreNode node) throws StoreError {
    if (t == null) {
      checkSize(client, node, nodes.get(name));
      put(name, node.withGeneration(++generation));
      return;
    }
    Accessed accessed = access(client, t, name);
    checkSize(client, node, accessed.node);
    int before = accessed.node == null ? 0 : accessed.node.size();
    t.nodes += accessed.node == null && node.owner() == client.domid ? 1 : 0;
    t.bytes += node.size() - before;
    accessed.node = node.withGeneration(++generation);
    accessed.modified = true;
  }

  private void put(String name, StoreNode node) {
    drop(name);
    nodes.put(name, node);
    nodesOwned.merge(node.owner(), 1, Integer::sum);
    bytesOwned.merge(node.owner(), (long) node.size(), Long::sum);
  }

  private void drop(String name) {
    StoreNode node = nodes.remove(name);
    if (node != null) {
      nodesOwned.merge(node.owner(), -1, Integer::sum);
      bytesOwned.merge(node.owner(), (long) -node.size(), Long::sum);
    }
  }

  private long bytesOf(Connection client) {
    return bytesOwned.getOrDefault(client.domid, 0L) + client.bytes + client.transactionBytes();
  }

  // ---- Events ----

  /**
   * Tells the watches of a change, or notes it for the end of the transaction (fire_watches).
   *
   * @param node the node changed, or removed; null if it is not known any more
   * @param before its permissions before the change, or null
   */
  private void fire(Transaction t, String name, StoreNode node, Match match, List<Permission> before) {
    if (t != null) {
      Accessed accessed = t.accessed.get(name);
      if (accessed.event != Match.SUBTREE) {
        accessed.event = match;
      }
      return;
    }
    for (Connection client : connections) {
      if (!mayHear(client, name, node, before)) {
        continue;
      }
      for (Watch watch : client.watches) {
        if (match == Match.EXACT ? name.equals(watch.path()) : below(name, watch)) {
          event(client, watch, name);
        }
      }
    }
  }

  /** Whoever may read the node, or its parent, or might before, hears of its changes (watch_permitted). */
  private boolean mayHear(Connection client, String name, StoreNode node, List<Permission> before) {
    if (before != null && (new StoreNode(EMPTY, List.of(), before, 0).accessOf(client.domid) & Permission.READ) != 0) {
      return true;
    }
    if (node == null) {
      return false;
    }
    if ((node.accessOf(client.domid) & Permission.READ) != 0) {
      return true;
    }
    StoreNode parent = nodes.get(parent(name));
    return parent != null && (parent.accessOf(client.domid) & Permission.READ) != 0;
  }

  /** Whether a node is a watch's, or one below it within its depth (is_child). */
  private static boolean below(String name, Watch watch) {
    String path = watch.path();
    int length = path.length();
    boolean root = length == 1;
    if (!name.startsWith(path) || !root && name.length() > length && name.charAt(length) != '/') {
      return false;
    }
    if (watch.depth() < 0 || name.length() == length) {
      return true;
    }
    int levels = root ? 1 : 0;
    for (int i = length; i < name.length(); i++) {
      levels += name.charAt(i) == '/' ? 1 : 0;
    }
    return levels <= watch.depth();
  }

  private void event(Connection client, Watch watch, String name) {
    String payload = name.substring(watch.prefix()) + '\0' + watch.token() + '\0';
    boolean special = name.startsWith("@");
    if (payload.length() > MAX_PAYLOAD || !special && client.events.contains(payload)) {
      return;
    }
    if (!client.privileged() && bytesOf(client) + HEADER + payload.length() >= MAX_BYTES) {
      return;
    }
    client.send(new Connection.Message(message(WATCH_EVENT, 0, 0, bytes(payload)), payload));
  }

  // ---- Messages ----

  static byte[] message(int type, int requestId, int transactionId, byte[] payload) {
    ByteBuffer buffer = ByteBuffer.allocate(HEADER + payload.length).order(ByteOrder.LITTLE_ENDIAN);
    return buffer.putInt(type).putInt(requestId).putInt(transactionId).putInt(payload.length).put(payload).array();
  }

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }
}
