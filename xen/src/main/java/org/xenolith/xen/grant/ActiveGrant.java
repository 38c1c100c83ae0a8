package org.xenolith.xen.grant;

/** How an entry of a grant table is in use (struct active_grant_entry): how often its frame is mapped, and for what. */
final class ActiveGrant {
  /** What each of the counts may reach. */
  private static final int MAX = 255;

  final long mfn;
  private int hostReading;
  private int hostWriting;
  private int deviceReading;
  private int deviceWriting;

  ActiveGrant(long mfn) {
    this.mfn = mfn;
  }

  boolean used() {
    return hostReading + hostWriting + deviceReading + deviceWriting > 0;
  }

  boolean written() {
    return hostWriting + deviceWriting > 0;
  }

  /** Mappings for a device's use, which no page table shows. */
  int deviceMappings() {
    return deviceReading + deviceWriting;
  }

  /** Those of {@link #deviceMappings} that are for writing. */
  int writingDeviceMappings() {
    return deviceWriting;
  }

  /** Whether the counts allow one more mapping of these kinds. */
  boolean canAdd(boolean host, boolean device, boolean readOnly) {
    return !(host && (readOnly ? hostReading : hostWriting) == MAX) && !(device && (readOnly ? deviceReading : deviceWriting) == MAX);
  }

  /** Counts a mapping for the host's use, or with {@code by} -1 its end. */
  void addHost(boolean readOnly, int by) {
    hostReading += readOnly ? by : 0;
    hostWriting += readOnly ? 0 : by;
  }

  /** Counts a mapping for a device's use, or with {@code by} -1 its end. */
  void addDevice(boolean readOnly, int by) {
    deviceReading += readOnly ? by : 0;
    deviceWriting += readOnly ? 0 : by;
  }
}
