package org.xenolith.xen.grant;

import org.xenolith.xen.mm.CountAudit;

/** Frames that a grant table's mappings for devices hold, for audits. */
public final class HeldByGrants {
  private HeldByGrants() {}

  public static void tell(GrantTables grants, CountAudit.Holder holder) {
    grants.maps().forEachDeviceMapping((mfn, writing) -> holder.holds(mfn, 1, writing ? 1 : 0));
  }
}
