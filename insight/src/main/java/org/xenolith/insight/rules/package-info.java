/** The rulebook as kernel people read it: what mends a broken rule, which known case it resembles, and the pages of docs/rules. */
package org.xenolith.insight.rules;
