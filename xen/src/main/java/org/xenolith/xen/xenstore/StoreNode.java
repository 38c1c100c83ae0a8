package org.xenolith.xen.xenstore;

import java.util.ArrayList;
import java.util.List;

/**
 * A node of the store; never changed, only replaced.
 *
 * @param data its value; not to be written to
 * @param children names of its children in the order in which they were made
 * @param permissions the owner's first
 * @param generation the store's count at its last change
 */
record StoreNode(byte[] data, List<String> children, List<Permission> permissions, long generation) {
  /** The owning domain. */
  int owner() {
    return permissions.getFirst().domid();
  }

  /** Bytes that it counts for in quotas: a header of 16, 8 for each permission, value and child names (calc_node_acc_size). */
  int size() {
    int size = 16 + 8 * permissions.size() + data.length;
    for (String child : children) {
      size += child.length() + 1;
    }
    return size;
  }

  /** What a domain may do with it; domain 0 may do everything (perm_for_conn). */
  int accessOf(int domain) {
    if (domain == 0 || permissions.getFirst().names(domain)) {
      return Permission.READ | Permission.WRITE;
    }
    for (Permission permission : permissions.subList(1, permissions.size())) {
      if (permission.names(domain)) {
        return permission.access();
      }
    }
    return permissions.getFirst().access();
  }

  StoreNode withData(byte[] newData) {
    return new StoreNode(newData, children, permissions, generation);
  }

  StoreNode withPermissions(List<Permission> newPermissions) {
    return new StoreNode(data, children, newPermissions, generation);
  }

  StoreNode withGeneration(long newGeneration) {
    return new StoreNode(data, children, permissions, newGeneration);
  }

  StoreNode withChild(String name) {
    List<String> more = new ArrayList<>(children.size() + 1);
    more.addAll(children);
    more.add(name);
    return new StoreNode(data, more, permissions, generation);
  }

  StoreNode withoutChild(String name) {
    List<String> fewer = new ArrayList<>(children);
    fewer.remove(name);
    return new StoreNode(data, fewer, permissions, generation);
  }
}
