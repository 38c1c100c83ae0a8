package org.xenolith.xen.xenstore;

import java.util.List;

/**
 * What a toolstack writes into the store for a guest without devices before it starts it (libxl: libxl__domain_make, libxl__build_post,
 * libxl__device_console_add).
 *
 * @param type of the guest, as a toolstack names it: "pv", "pvh"
 * @param uuid in its usual text form
 */
public record GuestTree(
    int domid, String type, String name, String uuid, Size size, long storeMfn, int storePort, long consoleMfn, int consolePort) {
  /**
   * How large the guest is, and may be.
   *
   * @param memoryKib the memory that it has, and its balloon is to keep
   * @param maxMemoryKib the memory that it may have
   * @param vcpus that it may have
   * @param onlineVcpus the first so many are online
   */
  public record Size(long memoryKib, long maxMemoryKib, int vcpus, int onlineVcpus) {}

  /** Writes it. */
  public void write(XenStore store) {
    List<Permission> closed = List.of(new Permission(0, Permission.NONE));
    List<Permission> readable = List.of(new Permission(0, Permission.NONE), new Permission(domid, Permission.READ));
    List<Permission> own = List.of(new Permission(domid, Permission.NONE));
    String home = "/local/domain/" + domid;
    String vm = "/vm/" + uuid;
    String libxl = "/libxl/" + domid;
    store.write("/local/domain/0/domid", "0");
    store.write("/local/domain/0/name", "Domain-0");
    store.makeNode(home, readable);
    store.makeNode(vm, readable);
    store.makeNode(libxl, closed);
    store.makeNode(libxl + "/device", closed);
    store.write(home + "/vm", vm);
    store.write(home + "/name", name);
    store.makeNode(home + "/cpu", readable);
    store.makeNode(home + "/memory", readable);
    store.makeNode(home + "/device", readable);
    store.makeNode(home + "/device/suspend/event-channel", own);
    store.makeNode(home + "/control", readable);
    for (String node : List.of("shutdown", "feature-poweroff", "feature-reboot", "feature-suspend", "sysrq")) {
      store.makeNode(home + "/control/" + node, own);
    }
    for (String node : List.of("data", "drivers", "feature", "attr", "error")) {
      store.makeNode(home + '/' + node, own);
    }
    store.write(vm + "/uuid", uuid);
    store.write(vm + "/name", name);
    store.write(home + "/control/platform-feature-multiprocessor-suspend", "1");
    store.write(home + "/control/platform-feature-xs_reset_watches", "1");
    store.write(libxl + "/type", type);
    store.write(home + "/memory/static-max", Long.toString(size.maxMemoryKib));
    store.write(home + "/memory/target", Long.toString(size.memoryKib));
    store.write(home + "/memory/videoram", "-1");
    store.write(home + "/domid", Integer.toString(domid));
    store.write(home + "/store/port", Integer.toString(storePort));
    store.write(home + "/store/ring-ref", Long.toString(storeMfn));
    for (int vcpu = 0; vcpu < size.vcpus; vcpu++) {
      store.write(home + "/cpu/" + vcpu + "/availability", vcpu < size.onlineVcpus ? "online" : "offline");
    }
    writeConsole(store, home, readable);
  }

  private void writeConsole(XenStore store, String home, List<Permission> readable) {
    String front = home + "/console";
    String back = "/local/domain/0/backend/console/" + domid + "/0";
    store.makeNode(front, readable);
    store.write(front + "/backend", back);
    store.write(front + "/backend-id", "0");
    store.makeNode(front + "/backend-id", List.of(new Permission(domid, Permission.NONE), new Permission(0, Permission.READ)));
    store.write(front + "/limit", "1048576");
    store.write(front + "/type", "xenconsoled");
    store.write(front + "/output", "pty");
    store.write(front + "/tty", "/dev/pts/0");
    store.write(front + "/port", Integer.toString(consolePort));
    store.write(front + "/ring-ref", Long.toString(consoleMfn));
    store.makeNode(back, readable);
    store.write(back + "/frontend", front);
    store.write(back + "/frontend-id", Integer.toString(domid));
    store.write(back + "/online", "1");
    store.write(back + "/state", "1");
    store.write(back + "/protocol", "vt100");
  }
}
