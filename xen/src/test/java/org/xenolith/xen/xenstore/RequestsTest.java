package org.xenolith.xen.xenstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.xen.xenstore.Requests.CONTROL;
import static org.xenolith.xen.xenstore.Requests.DIRECTORY;
import static org.xenolith.xen.xenstore.Requests.DIRECTORY_PART;
import static org.xenolith.xen.xenstore.Requests.GET_DOMAIN_PATH;
import static org.xenolith.xen.xenstore.Requests.GET_FEATURE;
import static org.xenolith.xen.xenstore.Requests.GET_PERMS;
import static org.xenolith.xen.xenstore.Requests.INTRODUCE;
import static org.xenolith.xen.xenstore.Requests.MKDIR;
import static org.xenolith.xen.xenstore.Requests.READ;
import static org.xenolith.xen.xenstore.Requests.RM;
import static org.xenolith.xen.xenstore.Requests.SET_PERMS;
import static org.xenolith.xen.xenstore.Requests.WRITE;

import org.junit.jupiter.api.Test;

class RequestsTest {
  private final StoreClient c = new StoreClient();

  @Test
  void theToolstacksTreeIsThere() {
    assertThat(c.ask(READ, "domid\0")).isEqualTo("1");
    assertThat(c.ask(READ, "name\0")).isEqualTo("guest");
    assertThat(c.ask(READ, "vm\0")).isEqualTo("/vm/01234567-89ab-cdef-0123-456789abcdef");
    assertThat(c.ask(READ, "memory/target\0")).isEqualTo("65536");
    assertThat(c.ask(READ, "/local/domain/1/memory/static-max\0")).isEqualTo("131072");
    assertThat(c.ask(READ, "memory/target\0")).isEqualTo("65536");
    assertThat(c.ask(DIRECTORY, "cpu\0")).isEqualTo("0\0" + "1\0" + "2");
    assertThat(c.ask(READ, "cpu/1/availability\0")).isEqualTo("online");
    assertThat(c.ask(READ, "cpu/2/availability\0")).isEqualTo("offline");
    assertThat(c.ask(READ, "control/platform-feature-xs_reset_watches\0")).isEqualTo("1");
    assertThat(c.ask(READ, "console/type\0")).isEqualTo("xenconsoled");
    assertThat(c.ask(DIRECTORY, "device\0")).isEqualTo("suspend");
  }

  @Test
  void aValueIsAnyBytesAndParentsAreMadeWithoutValue() {
    assertThat(c.ask(WRITE, "data/a/b\0x\0y")).isEqualTo("OK");
    assertThat(c.ask(READ, "data/a/b\0")).isEqualTo("x\0y");
    assertThat(c.ask(READ, "data/a\0")).isEmpty();
    assertThat(c.ask(WRITE, "data/a/b\0")).isEqualTo("OK");
    assertThat(c.ask(READ, "data/a/b\0")).isEmpty();
  }

  @Test
  void makingADirectoryLeavesAValueAlone() {
    c.ask(WRITE, "data/a\0v");
    assertThat(c.ask(MKDIR, "data/a\0")).isEqualTo("OK");
    assertThat(c.ask(READ, "data/a\0")).isEqualTo("v");
    assertThat(c.ask(MKDIR, "data/b\0")).isEqualTo("OK");
    assertThat(c.ask(DIRECTORY, "data\0")).isEqualTo("a\0b");
  }

  @Test
  void removalTakesTheWholeTree() {
    c.ask(WRITE, "data/a/b/c\0v");
    c.ask(WRITE, "data/z\0v");
    assertThat(c.ask(RM, "data/a\0")).isEqualTo("OK");
    assertThat(c.ask(READ, "data/a/b/c\0")).isEqualTo("ENOENT");
    assertThat(c.ask(DIRECTORY, "data\0")).isEqualTo("z");
    assertThat(c.ask(RM, "data/a\0")).as("again is no error").isEqualTo("OK");
    assertThat(c.ask(RM, "data/x/y\0")).as("without a parent it is").isEqualTo("ENOENT");
  }

  @Test
  void whatOneMayNotLookAtIsNotToldToExistOrNot() {
    assertThat(c.ask(READ, "/local/domain/0/name\0")).isEqualTo("EACCES");
    assertThat(c.ask(READ, "/local/domain/0/nothing\0")).isEqualTo("EACCES");
    assertThat(c.ask(DIRECTORY, "/local/domain\0")).isEqualTo("EACCES");
    assertThat(c.ask(DIRECTORY, "/\0")).isEqualTo("EACCES");
    assertThat(c.ask(READ, "nothing\0")).isEqualTo("ENOENT");
    assertThat(c.ask(WRITE, "memory/target\0" + "1")).isEqualTo("EACCES");
    assertThat(c.ask(WRITE, "nothing\0v")).isEqualTo("EACCES");
    assertThat(c.ask(RM, "/\0")).isEqualTo("EACCES");
  }

  @Test
  void permissionsAreReadAndSetByTheOwnerOnly() {
    c.ask(WRITE, "data/a\0v");
    assertThat(c.ask(GET_PERMS, "data/a\0")).isEqualTo("n1");
    assertThat(c.ask(SET_PERMS, "data/a\0r1\0b0\0")).isEqualTo("OK");
    assertThat(c.ask(GET_PERMS, "data/a\0")).isEqualTo("r1\0b0");
    assertThat(c.ask(SET_PERMS, "data/a\0n0\0")).isEqualTo("EPERM");
    assertThat(c.ask(SET_PERMS, "data/a\0n7\0")).isEqualTo("ENOENT");
    assertThat(c.ask(SET_PERMS, "data/a\0x1\0")).isEqualTo("EINVAL");
    assertThat(c.ask(SET_PERMS, "data/a\0n\0")).isEqualTo("EINVAL");
    assertThat(c.ask(SET_PERMS, "data/a\0")).isEqualTo("EINVAL");
    assertThat(c.ask(SET_PERMS, "data/a\0n1\0r0\0r0\0r0\0r0\0")).isEqualTo("ENOSPC");
    assertThat(c.ask(SET_PERMS, "name\0n1\0")).isEqualTo("EACCES");
    assertThat(c.ask(GET_PERMS, "name\0")).isEqualTo("n0\0r1");
  }

  @Test
  void pathsAreChecked() {
    for (String path : new String[] {"a b", "a//b", "a/", "data/\u00e9", "@releaseDomain", "data/" + "a".repeat(2043)}) {
      assertThat(c.ask(READ, path + '\0')).as(path).isEqualTo("EINVAL");
    }
    assertThat(c.ask(READ, "data/" + "a".repeat(2042) + '\0')).isEqualTo("ENOENT");
    assertThat(c.ask(READ, "")).isEqualTo("EINVAL");
    assertThat(c.ask(READ, "name")).isEqualTo("EINVAL");
    assertThat(c.ask(READ, "name\0name\0")).isEqualTo("EINVAL");
    assertThat(c.ask(WRITE, "no-end")).isEqualTo("EINVAL");
  }

  @Test
  void theToolstacksRequestsAreRefusedAndUnknownOnesNamedSo() {
    assertThat(c.ask(CONTROL, "help\0")).isEqualTo("EACCES");
    assertThat(c.ask(INTRODUCE, "1\0" + "1\0" + "1\0")).isEqualTo("EACCES");
    assertThat(c.ask(20, "1\0")).isEqualTo("ENOSYS");
    assertThat(c.ask(1000, "\0")).isEqualTo("ENOSYS");
    assertThat(c.ask(-1, "\0")).isEqualTo("ENOSYS");
    assertThat(c.ask(XenStore.WATCH_EVENT, "\0")).isEqualTo("ENOSYS");
    assertThat(c.ask(GET_FEATURE, "")).isEqualTo("14");
    assertThat(c.ask(GET_FEATURE, "1\0")).isEqualTo("EACCES");
    assertThat(c.ask(GET_DOMAIN_PATH, "7\0")).isEqualTo("/local/domain/7");
    assertThat(c.ask(GET_DOMAIN_PATH, "x\0")).isEqualTo("EINVAL");
    assertThat(c.ask(GET_DOMAIN_PATH, "70000\0")).isEqualTo("EINVAL");
  }

  @Test
  void directoriesThatDoNotFitAreHadInParts() {
    String name = "n".repeat(60);
    for (int i = 0; i < 30; i++) {
      c.ask(WRITE, "data/" + name + i + "\0");
    }
    String few = c.ask(DIRECTORY_PART, "data\0" + "0\0");
    assertThat(few.split("\0")).hasSize(31).contains(name + 0, name + 29);
    int all = c.ask(DIRECTORY, "data\0").length() + 1;
    assertThat(c.ask(DIRECTORY_PART, "data\0" + all + "\0")).matches("[0-9]+\0");
    assertThat(c.ask(DIRECTORY_PART, "data\0")).isEqualTo("EINVAL");
    for (int i = 0; i < 80; i++) {
      c.store.write("/local/domain/1/data/" + name + name.substring(20) + i, "");
    }
    assertThat(c.ask(DIRECTORY, "data\0")).isEqualTo("E2BIG");
    StringBuilder whole = new StringBuilder();
    String part = "";
    while (!part.endsWith("\0")) {
      part = c.ask(DIRECTORY_PART, "data\0" + whole.length() + "\0");
      whole.append(part.substring(part.indexOf('\0') + 1));
      if (!part.endsWith("\0")) {
        assertThat(part.length()).isBetween(3900, 4095);
        whole.append('\0');
      }
    }
    assertThat(whole.toString().split("\0")).hasSize(110).endsWith(name + name.substring(20) + 79);
  }

  @Test
  void aDomainsNodesAndTheirSizesAreBounded() {
    assertThat(c.ask(WRITE, "data/big\0" + "x".repeat(2023))).isEqualTo("OK");
    assertThat(c.ask(WRITE, "data/big\0" + "x".repeat(2024))).isEqualTo("ENOSPC");
    int made = 0;
    String answer = "OK";
    while (answer.equals("OK") && made < 2000) {
      answer = c.ask(MKDIR, "data/" + made / 100 + "/" + made % 100 + "\0");
      made++;
    }
    assertThat(answer).isEqualTo("ENOSPC");
    assertThat(made).isBetween(900, 1000);
  }
}
