package org.xenolith.xen.grant;

import org.xenolith.xen.mm.CountAudit;

/** Frames that a grant table's mappings for devices hold, for audits. */
public final class HeldByGrants {
  private HeldByGrants() {}

  public static void tell(GrantTables grants, CountAudit.Holder holder) {
    for (ActiveGrant grant : grants.table().active()) {
      holder.holds(grant.mfn, grant.deviceMappings(), grant.writingDeviceMappings());
    }
  }
}
