/** Hypercalls that PV domains and containers have alike; what differs they ask of the vcpu's runner and of the domain. */
package org.xenolith.xen.calls;
