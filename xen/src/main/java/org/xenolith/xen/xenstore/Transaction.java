package org.xenolith.xen.xenstore;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A client's view of the store that becomes everybody's at once, unless a node that it looked at has changed meanwhile (Xen's xenstored,
 * transaction.c).
 */
final class Transaction {
  /** A node as the transaction sees it. */
  static final class Accessed {
    /** Null: there is none. */
    StoreNode node;

    /** The generation of the node in the store when it was first looked at, -1 for none. */
    final long generation;

    /** Who might do what when it was first looked at; null: there was no node. */
    final List<Permission> permissions;

    boolean modified;

    /** The events to send at the end; null: none. */
    XenStore.Match event;

    Accessed(StoreNode node) {
      this.node = node;
      this.generation = node == null ? -1 : node.generation();
      this.permissions = node == null ? null : node.permissions();
    }
  }

  final int id;
  final Map<String, Accessed> accessed = new LinkedHashMap<>();

  /** It cannot be committed any more: a change was left half done. */
  boolean failed;

  /** Nodes that it makes for the client, less those that it removes. */
  int nodes;

  /** Bytes of the nodes it holds. */
  long bytes;

  Transaction(int id) {
    this.id = id;
  }
}
