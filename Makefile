# make            build lbd, lbctl and the BPF programs into build/
# sudo make demo  a lab of network namespaces with real traffic      sudo make test  every test
# make help       the other targets

.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash

O ?= build
# For another architecture: CROSS=aarch64-linux-gnu-, with Debian's cross compiler, that one's libraries, and qemu-user.
CROSS :=
CC := $(CROSS)gcc
AR := $(CROSS)ar
PKG_CONFIG := $(if $(CROSS),PKG_CONFIG_LIBDIR=/usr/lib/$(CROSS:-=)/pkgconfig:/usr/share/pkgconfig) pkg-config
EMULATOR := $(if $(CROSS),qemu-$(firstword $(subst -, ,$(CROSS)))-static)
CLANG := clang
BPFTOOL := $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
LIBS := libbpf jansson libmnl libevent_core libcap-ng
CPPFLAGS += -D_GNU_SOURCE -I$(O)
CFLAGS += -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
# A build does not tell where it was made.
CFLAGS += -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(O)/=build/
LDLIBS = $(shell $(PKG_CONFIG) --libs $(LIBS)) -lelf -lz
# Where an attacker's packet or document meets a bug, it ends lbd and does no more. (Sanitizers find more.)
CFLAGS += -fPIE -fstack-protector-strong -fstack-clash-protection $(if $(SAN),,-D_FORTIFY_SOURCE=2)
LDFLAGS += -pie -Wl,-z,relro,-z,now,--build-id
ifdef SAN
O := build/san
CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif
BPF_CFLAGS := -target bpf -O2 -g -Wall -Wextra -Werror -mcpu=v3 -ffile-prefix-map=$(CURDIR)=. \
	-I/usr/include/$(shell gcc -print-multiarch 2>/dev/null)

API_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard lbd/api/*.c))
# lbd's rooms, each of which includes only from those before it; main.c is above them.
ROOMS := api table route host plane health service control monitor
LBD_OBJ := $(patsubst %.c,$(O)/%.o,$(foreach room,$(filter-out api,$(ROOMS)),$(wildcard lbd/$(room)/*.c)))
LBCTL_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard lbctl/*.c))
BACKEND_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard lbd/backend/*.c))
PROGRAMS := $(patsubst %.bpf.c,$(O)/%.bpf.o,$(wildcard bpf/*.bpf.c))
BPF_OBJ := $(patsubst %.bpf.c,$(O)/%.bpf.o,$(wildcard bpf/*.bpf.c tests/lib/*.bpf.c tests/packet/*.bpf.c tests/bench/*.bpf.c))
UNIT := $(patsubst %.c,$(O)/%,$(wildcard tests/unit/*_test.c))
PACKET := $(patsubst %.c,$(O)/%,$(wildcard tests/packet/*_test.c))
TOOLS := $(patsubst %.c,$(O)/%,$(wildcard tests/lib/*_tool.c tests/vm/*_tool.c) docs/fields.c)
FAULT := $(patsubst %,$(O)/tests/lib/%.so,card fault quic_ids)

# Each fuzzer twice: with replay.c for its main, by any compiler; and with libFuzzer, by clang.
REPLAY := $(patsubst %_fuzz.c,$(O)/%_replay,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_CFLAGS := -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_SECONDS := 60

# The benchmark: a packet in BPF_PROG_TEST_RUN, and on its way through veths; a traffic generator.
BENCH := $(patsubst %,$(O)/tests/bench/%,packets live lbgen figures control)
BENCH_OBJ := $(patsubst %,$(O)/tests/bench/%.o,cases world rival_load) $(O)/tests/packet/frame.o $(O)/tests/packet/aes_block.o

PACKET_OBJ := $(patsubst %.c,$(O)/%.o,$(filter-out %_test.c,$(wildcard tests/packet/*.c)))

ifeq ($(V),)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

# A release has the programs that were tested, compiled, and makes no others: BPF=source compiles them here.
BPF := $(if $(wildcard prebuilt/bpf/lb.bpf.o),prebuilt,source)
all: $(O)/lbd/lbd $(O)/lbd/lbd-simulate $(O)/lbctl/lbctl $(O)/lbd/lbd-backend $(O)/lbctl/lbd-tier $(if $(filter prebuilt,$(BPF)),$(PROGRAMS),$(BPF_OBJ))

ifeq ($(BPF),prebuilt)
$(PROGRAMS) $(PROGRAMS:.bpf.o=.skel.h): $(O)/%: prebuilt/%
	$(call say,COPY,$@)
	@mkdir -p $(@D)
	$(Q)cp $< $@
endif

$(O)/%.bpf.o: %.bpf.c
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@.tmp
	$(Q)llvm-strip -g $@.tmp
	@mv $@.tmp $@

$(O)/%.skel.h: $(O)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst .,_,$(notdir $*))_bpf > $@

$(O)/%.o: %.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# Who includes a skeleton; the dependency files know of it after the first build.
$(patsubst %,$(O)/lbd/plane/%.o,datapath sizes pin attach vip vip_counts vip_wide quic_counts percpu explain instance replace trace guard guard_syn guard_rate quic_program mapping): | $(O)/bpf/lb.skel.h
$(O)/lbd/backend/programs.o: | $(O)/bpf/decap.skel.h $(O)/bpf/reqsk.skel.h $(O)/bpf/second.skel.h
$(O)/lbd/plane/explain.o: | $(O)/bpf/explain.skel.h
$(O)/tests/packet/maps_test.o: | $(O)/bpf/lb.skel.h
$(O)/tests/packet/stages_off_test.o: | $(patsubst %,$(O)/tests/%.skel.h,packet/with_stages packet/without_guard lib/without_quic)
$(O)/tests/packet/steps_programs.o: | $(O)/bpf/lb.skel.h
$(O)/lbd/plane/trace.o: | $(O)/bpf/trace.skel.h
$(O)/lbd/plane/tunnel.o: | $(O)/bpf/tunnel.skel.h
$(O)/lbd/monitor/monitor.o: $(O)/lbd/monitor/page.h
$(O)/lbd/monitor/page.h: lbd/monitor/page.html lbd/monitor/page.sh
	$(call say,PAGE,$@)
	@mkdir -p $(@D)
	$(Q)lbd/monitor/page.sh $< > $@
$(O)/tests/bench/rival_load.o: | $(O)/tests/bench/rival.skel.h
$(O)/tests/bench/stage.o: | $(O)/tests/bench/bare.skel.h
$(O)/tests/bench/turns.o: | $(O)/tests/bench/next.skel.h
$(O)/tests/bench/lbgen.o: | $(O)/tests/bench/lbgen.skel.h
$(O)/tests/bench/lanes.o: | $(addprefix $(O)/tests/bench/,bare.skel.h lbgen.skel.h sink.skel.h)

$(O)/lib/libapi.a: $(API_OBJ)
$(O)/lib/liblbd.a: $(LBD_OBJ)
$(O)/lib/%.a:
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) qcs $@ $^ # q: two rooms may have a file of one name

$(O)/lbd/lbd: $(O)/lbd/main.o $(O)/lib/liblbd.a $(O)/lib/libapi.a
# Modules of lbd/simulate/ come first, and so take the place of those that touch the kernel.
SIMULATE_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard lbd/simulate/*.c))
$(O)/lbd/lbd-simulate: $(O)/lbd/main.o $(SIMULATE_OBJ) $(O)/lib/liblbd.a $(O)/lib/libapi.a
$(O)/lbd/lbd-simulate: LDFLAGS += -Wl,--as-needed
$(O)/lbctl/lbctl: $(LBCTL_OBJ) $(O)/lib/libapi.a
$(O)/lbd/lbd-backend: $(BACKEND_OBJ) $(O)/lib/libapi.a
# What speaks to etcd, with the words and views of lbctl.
TIER_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard lbctl/tier/*.c)) $(filter-out $(O)/lbctl/main.o,$(LBCTL_OBJ))
$(O)/lib/libtier.a: $(filter-out $(O)/lbctl/tier/main.o,$(TIER_OBJ))
$(O)/lbctl/lbd-tier: $(O)/lbctl/tier/main.o $(O)/lib/libtier.a $(O)/lib/libapi.a
$(O)/docs/fields: $(O)/docs/fields.o $(O)/lib/libtier.a
$(O)/tests/unit/tier_test: $(O)/tests/unit/tier_test.o $(O)/lib/libtier.a
$(O)/lib/libpacket.a: $(PACKET_OBJ)
$(PACKET): %: %.o $(O)/lib/libpacket.a
$(O)/tests/bench/packets $(O)/tests/bench/live: $(BENCH_OBJ)
$(O)/tests/lib/quic_tool: $(O)/tests/packet/aes_block.o
$(O)/tests/bench/packets: $(patsubst %,$(O)/tests/bench/%.o,pairs stage turns verify)
$(O)/tests/bench/live: $(O)/tests/bench/lanes.o
# The live service over a plane in memory, where allocations can be made to fail.
FAKED := $(patsubst %,$(O)/tests/unit/%_test,agree make_room promise service)
$(FAKED): $(O)/tests/unit/fake.o
$(FAKED): LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray
$(UNIT) $(PACKET) $(TOOLS) $(BENCH): %: %.o $(O)/lib/liblbd.a $(O)/lib/libapi.a
$(O)/lbctl/lbctl: LDLIBS = -ljansson
$(O)/lbd/lbd-backend: LDLIBS = -lbpf -ljansson -lelf -lz
$(O)/lbctl/lbd-tier: LDLIBS = -ljansson -lcurl
$(UNIT) $(PACKET): LDLIBS += -lcmocka
$(O)/lbd/lbd $(O)/lbd/lbd-simulate $(O)/lbctl/lbctl $(O)/lbd/lbd-backend $(O)/lbctl/lbd-tier $(UNIT) $(PACKET) $(TOOLS) $(BENCH):
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -lm -o $@

# Of what a package has, what the linker took: for its bill of materials.
$(O)/lbd/lbd $(O)/lbd/lbd-simulate $(O)/lbctl/lbctl: LDFLAGS += -Wl,-Map=$@.map

# Preloaded into lbd; without sanitizers, whose own calls it would see.
$(FAULT): $(O)/%.so: %.c
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fsanitize%,$(CFLAGS)) -shared -fPIC -MMD -MP -MF $(@:.so=.d) -MT $@ $< -o $@

# What is fuzzed is compiled again, by clang and with its coverage, below $(O)/fuzz.
FUZZED := $(patsubst %.c,$(O)/fuzz/%.o,$(wildcard lbd/api/*.c) \
	lbd/health/probe_reader.c lbd/health/state.c lbd/host/config.c lbd/host/state.c lbd/route/pmtu_judge.c \
	lbd/monitor/http_request.c lbd/host/durable.c lbd/host/journal.c lbd/host/journal_changes.c \
	lbctl/tier/message.c lbctl/tier/release.c lbctl/units.c lbctl/view.c)
$(O)/fuzz/%.o: %.c
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(FUZZ): $(O)/%: $(O)/fuzz/%.o $(FUZZED)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer $^ -ljansson -lz -o $@

$(REPLAY): %_replay: %_fuzz.o $(O)/tests/fuzz/replay.o $(O)/lib/libtier.a $(O)/lib/liblbd.a $(O)/lib/libapi.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -lm -o $@

# The program's own headers read packets where they lie, which need not be aligned.
$(O)/tests/fuzz/parser_fuzz.o $(O)/lbd/simulate/explain.o: CFLAGS += -fno-sanitize=alignment -fno-strict-aliasing
$(O)/fuzz/tests/fuzz/parser_fuzz.o: FUZZ_CFLAGS += -fno-sanitize=alignment

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# Generated from lbctl's command table, and kept in the tree for who reads it there; a test compares.
man: $(O)/lbctl/lbctl
	$(call say,MAN,docs/man/lbctl.8)
	$(Q)$< help --man > docs/man/lbctl.8

# What is said of fields, from the tables of them: pages between their marks, the schema. A test compares.
docs: man $(O)/docs/fields
	$(call say,FIELDS,docs)
	$(Q)$(O)/docs/fields schema > docs/lbd.schema.json
	$(Q)for page in docs/protocol.md tests/fuzz/lbd.dict; do \
		$(O)/docs/fields page < $$page > $(O)/docs/page && cp $(O)/docs/page $$page || exit; done

# --- checks of the source itself ---

direction: $(API_OBJ) $(LBD_OBJ) $(SIMULATE_OBJ)
	@tests/lib/direction.sh $(O) $(ROOMS) simulate

# Other versions format otherwise. Debian 13 has none so old.
CLANG_FORMAT := clang-format-14

lint: direction
	shellcheck -x $$(git ls-files '*.sh' .ci/run) {lbd,lbd/backend,lbctl/tier}/package/{postinst,prerm,postrm}
	$(CLANG_FORMAT) --dry-run --Werror $$(git ls-files '*.c' '*.h')
	tests/cli/docs_test.sh

# --- packages of Debian 12 and 13, by purpose. None of them starts a service. ---
BPF_PKGS := clang llvm bpftool
BUILD_PKGS := $(if $(filter prebuilt,$(BPF)),,$(BPF_PKGS)) gcc libc6-dev linux-libc-dev make pkg-config libbpf-dev libelf-dev \
	zlib1g-dev libjansson-dev libevent-dev libmnl-dev libcap-ng-dev libcurl4-openssl-dev
FUZZ_PKGS := $(BPF_PKGS) libclang-rt-dev
DEB_PKGS := dpkg-dev jq
LAB_PKGS := $(BPF_PKGS) iproute2 ethtool iputils-ping curl jq procps util-linux
TEST_PKGS := $(LAB_PKGS) ngtcp2-client ngtcp2-server nftables traceroute libcmocka-dev iperf3 socat python3 python3-jsonschema python3-scapy shellcheck \
	groff-base git xz-utils prometheus openssl tcpdump tshark gdb
TIER_PKGS := etcd-server etcd-client
HEALTH_PKGS := nginx-light dnsmasq-base
BENCH_PKGS := $(BPF_PKGS) iproute2 ethtool util-linux nftables iptables ipset python3 jq
VM_PKGS := qemu-system-x86 busybox-static cpio kmod xz-utils zstd
BOOT_PKGS := qemu-system-x86 debootstrap e2fsprogs util-linux

# Each of these installs what is missing, then starts a make that sees it: this one has read the
# Makefile, and with it asked gcc and pkg-config, when they may not have been there.
BGP_PKGS := bird2 frr keepalived
demo demo-drain demo-quic: PKGS = $(BUILD_PKGS) $(LAB_PKGS)
demo-bgp: PKGS = $(BUILD_PKGS) $(LAB_PKGS) bird2
test-bgp: PKGS = $(BUILD_PKGS) $(TEST_PKGS) $(BGP_PKGS)
demo-tier test-tier: PKGS = $(BUILD_PKGS) $(LAB_PKGS) $(TIER_PKGS)
demo-monitoring: PKGS = $(BUILD_PKGS) $(LAB_PKGS) prometheus socat
test: PKGS = $(BUILD_PKGS) $(TEST_PKGS) $(TIER_PKGS) $(HEALTH_PKGS) $(FUZZ_PKGS) $(DEB_PKGS) lintian
fuzz: PKGS = $(BUILD_PKGS) $(FUZZ_PKGS)
deb: PKGS = $(BUILD_PKGS) $(DEB_PKGS)
dist: PKGS = $(BUILD_PKGS) git xz-utils
image: PKGS = $(if $(shell command -v $(IMAGE_TOOL)),,podman)
test-kernels: PKGS = $(BUILD_PKGS) $(TEST_PKGS) $(VM_PKGS)
test-boot: PKGS = $(BUILD_PKGS) $(DEB_PKGS) $(BOOT_PKGS)
test-compilers: PKGS = $(BUILD_PKGS) $(TEST_PKGS) $(VM_PKGS) \
	$(foreach compiler,$(COMPILERS),$(if $(findstring /,$(compiler)),debootstrap,$(compiler)))
test-debian12 test-debian13 test-arm64 test-arm64-kernel: PKGS = git debootstrap util-linux
test-arm64: PKGS += jq dpkg-dev
test-arm64-kernel: PKGS += qemu-system-arm cpio kmod
test-ansible: PKGS = $(BUILD_PKGS) $(BPF_PKGS) $(DEB_PKGS) $(BOOT_PKGS) ansible-core openssh-client python3
test-health: PKGS = $(BUILD_PKGS) $(TEST_PKGS) $(HEALTH_PKGS)
test-attacks: PKGS = $(BUILD_PKGS) $(TEST_PKGS)
test-image: PKGS = $(BUILD_PKGS) $(LAB_PKGS) podman buildah runc debootstrap libcap2-bin
test-compose: PKGS = $(BUILD_PKGS) $(BPF_PKGS) $(DEB_PKGS) iproute2 podman buildah runc containernetworking-plugins iptables nftables debootstrap jq python3-jsonschema \
	python3-yaml python3-dotenv $(if $(shell command -v npm),,npm)
test-release: PKGS = $(BUILD_PKGS) $(BPF_PKGS) $(DEB_PKGS) git xz-utils faketime util-linux $(if $(shell command -v npm),,npm)
test-upgrade: PKGS = $(BUILD_PKGS) $(BPF_PKGS) $(LAB_PKGS) $(DEB_PKGS) git debootstrap
test-kubernetes: PKGS = $(BUILD_PKGS) jq python3 python3-jsonschema $(if $(shell command -v npm),,npm)
# npm of Debian cannot be beside a Node.js from elsewhere, which has its own.
test-monitoring: PKGS = $(BUILD_PKGS) $(TEST_PKGS) chromium $(if $(shell command -v npm),,npm)
random test-explain: PKGS = $(BUILD_PKGS) $(TEST_PKGS)
program-size: PKGS = $(BUILD_PKGS) $(BPF_PKGS)
bench: PKGS = $(BUILD_PKGS) $(BENCH_PKGS)
bench-control: PKGS = $(BUILD_PKGS) $(LAB_PKGS)
bench-insns: PKGS = $(BUILD_PKGS) $(BENCH_PKGS) $(VM_PKGS) ipvsadm
demo demo-drain demo-bgp demo-quic demo-monitoring test test-bgp test-image test-kubernetes test-release test-upgrade test-arm64 test-monitoring test-kernels test-compilers test-debian12 test-debian13 test-boot test-health test-attacks fuzz deb dist image \
random test-explain program-size bench bench-control bench-insns:
	@tests/lib/packages.sh $(PKGS)
	+@$(MAKE) --no-print-directory run-$@

# V=1 shows the build.
run-demo: EXAMPLE = 01-demo
run-demo-drain: EXAMPLE = 02-drain
run-demo-bgp: EXAMPLE = 03-bgp
run-demo-quic: EXAMPLE = 08-quic
run-demo run-demo-drain run-demo-bgp run-demo-quic:
	+@$(if $(V),,tests/lib/quietly.sh $(O)/demo-build.log 'lbd, lbctl, the BPF programs and the lab into $(O)/') \
		$(MAKE) --no-print-directory demo-build
	@O=$(O) examples/$(EXAMPLE)/run.sh
# Three nodes of etcd and three balancers: an example, and a thousand revisions while they break. REVISIONS=N, SEED=N
.PHONY: demo-tier run-demo-tier test-tier run-test-tier
demo-tier test-tier:
	@tests/lib/packages.sh $(PKGS)
	+@$(MAKE) --no-print-directory run-$@
run-demo-tier: demo-build
	@O=$(O) examples/04-tier/run.sh
run-test-tier: all
	@O=$(O) tests/tier/health_test.sh
	@O=$(O) tests/tier/tier_test.sh
# What happens while etcd is gone for long. GONE=SECONDS
.PHONY: test-tier-gone run-test-tier-gone
test-tier-gone: PKGS = $(BUILD_PKGS) $(LAB_PKGS) $(TIER_PKGS)
test-tier-gone:
	@tests/lib/packages.sh $(PKGS)
	+@$(MAKE) --no-print-directory run-$@
run-test-tier-gone: all
	@O=$(O) tests/tier/gone_test.sh
# Which share of connections breaks per event, beside IPVS: in a VM of Debian's 6.12. The table is in $(O)/broken.md.
.PHONY: test-broken run-test-broken
test-broken: PKGS = $(BUILD_PKGS) $(LAB_PKGS) $(VM_PKGS) ipvsadm
test-broken:
	@tests/lib/packages.sh $(PKGS)
	+@$(MAKE) --no-print-directory run-$@
run-test-broken: all $(BPF_OBJ) $(TOOLS)
	@tests/tier/broken.sh $(O)
.PHONY: demo-monitoring run-demo-monitoring test-monitoring run-test-monitoring
run-demo-monitoring: demo-build
	@O=$(O) examples/monitoring/demo.sh
demo-build: all $(BPF_OBJ) $(TOOLS)

tests: sanitized $(PACKET) $(REPLAY) $(BENCH)
# What run.sh runs of a sanitized build.
sanitized: all $(BPF_OBJ) $(UNIT) $(TOOLS) $(FAULT)

# TESTS=^cli/ runs those whose names match.
TESTS := .
run-test: direction tests $(FUZZ)
	+@$(MAKE) --no-print-directory SAN=1 sanitized
	@tests/run.sh $(O) build/san '$(TESTS)'

# The packet tests, real traffic and health checks on Debian's 6.1 and 6.12 kernels, side by side. Kernels are
# kept in $(O)/vm, or in VM_CACHE=folder. One of them alone: KERNELS=6.12
KERNELS := 6.1 6.12
run-test-kernels: tests
	@tests/vm/kernels.sh $(O) $(KERNELS)

# The package on a booted Debian 12 and 13, under systemd, in VMs: from its installation to its removal. Disks are
# kept in /var/cache/lbd-test/boot, or in BOOT_CACHE=folder. One of them alone: RELEASES=trixie
RELEASES := bookworm trixie
run-test-boot: tests
	@tests/boot/boot.sh $(O) $(RELEASES)

# The BPF programs made by each of these compilers, on the running kernel and on those of KERNELS: they load as
# lbd loads them, and the packet tests pass; with PACKETS=0 those in VMs load them only. One of them alone:
# COMPILERS=clang-16. These are Debian 12's; Debian 13 has clang-17, clang-18 and clang-19.
COMPILERS := clang-14 clang-16 clang-19 trixie/clang-19
bpf-objects: $(BPF_OBJ)
compiled: all $(PACKET) $(O)/tests/vm/program_tool
run-test-compilers: tests
	@KERNELS="$(KERNELS)" PACKETS=$(PACKETS) DEBIAN_CACHE=$(DEBIAN_CACHE) tests/vm/compilers.sh $(O) $(COMPILERS)

# What a user has who installs git and make on a bare Debian, and clones what is committed here. DEBIAN_RUN=demo, or
# DEBIAN_RUN="test TESTS=.": more of it; DEBIAN_TARGETS="test-image test-release": these, each in a clone and a bare Debian
# of its own. Bare Debians and packages are kept in DEBIAN_CACHE; rm -rf it for newer ones.
DEBIAN_CACHE := /var/cache/lbd-test/debian
DEBIAN_RUN := test TESTS=^(unit|packet)/
run-test-debian12: RELEASE := bookworm
run-test-debian13: RELEASE := trixie
run-test-debian12 run-test-debian13:
	@tests/debian/debian.sh $(if $(DEBIAN_TARGETS),-e) $(RELEASE) $(DEBIAN_CACHE) $(or $(DEBIAN_TARGETS),$(foreach word,$(DEBIAN_RUN),'$(word)'))

# A package for arm64, by Debian's cross compiler, and unit tests under qemu-user. Packages are kept in DEBIAN_CACHE.
run-test-arm64:
	@tests/arm64/arm64_test.sh $(DEBIAN_CACHE)

# Packet tests and traffic on Debian's arm64 kernel, in a VM.
.PHONY: test-arm64-kernel run-test-arm64-kernel
test-arm64-kernel:
	@tests/lib/packages.sh $(PKGS)
	+@$(MAKE) --no-print-directory run-$@
run-test-arm64-kernel:
	@tests/arm64/kernel_test.sh $(DEBIAN_CACHE)

# The role of examples/05-ansible, over ssh, on a booted Debian in a VM, of this machine's release.
.PHONY: test-ansible run-test-ansible
test-ansible:
	@tests/lib/packages.sh $(PKGS)
	+@$(MAKE) --no-print-directory run-$@
run-test-ansible: all $(BPF_OBJ) $(TOOLS)
	@tests/ansible/ansible_test.sh $(O)

# The image on this machine, in a lab: capabilities, read-only root, restart. RELEASE=bookworm: over that Debian.
run-test-image: all $(BPF_OBJ) $(TOOLS)
	@O=$(O) tests/image/image_test.sh

# The lab of examples/06-compose, by podman-compose, in namespaces of its own.
.PHONY: test-compose run-test-compose
test-compose:
	@tests/lib/packages.sh $(PKGS)
	+@$(MAKE) --no-print-directory run-$@
run-test-compose: all
	@O=$(O) tests/compose/compose_test.sh

# The manifests of examples/07-kubernetes, by schemas from npm; there is no cluster.
run-test-kubernetes: all
	@O=$(O) tests/kubernetes/kubernetes_test.sh

# Packages made by others, elsewhere and later are the same; their bill of materials is valid.
run-test-release: all
	@O=$(O) tests/release/release_test.sh

# From the package of 0.1.0 to this one's and back, and between two of one ABI, in a lab with connections that live on.
run-test-upgrade: all $(BPF_OBJ) $(TOOLS)
	@O=$(O) tests/upgrade/upgrade_test.sh

# The engine of health checks alone, against real servers and through the tunnel, with its times taken
# at their word: sensitive to a busy machine. `make test` allows them twice as much.
run-test-health: tests
	@O=$(CURDIR)/$(O) tests/health/health_test.sh

# How many connections break under what has broken some: floods and forged SYNs during drains, many connections of one
# client, fail-over to a standby, and five minutes of load with drains, failures and fail-over. ATTACKS="forged pairs"
run-test-attacks: tests
	@O=$(CURDIR)/$(O) tests/net/attacks.sh $(ATTACKS)

# What changes of backends cost, in slots and in broken flows; needs no root.
figures: $(O)/tests/bench/figures
	@$<

# BIRD, FRR and keepalived: the network sends packets to a balancer just while it serves.
run-test-bgp: all $(BPF_OBJ) $(TOOLS)
	@O=$(O) tests/bgp/bgp_test.sh $(BGP)

# A real Prometheus reads lbd in a lab: alerts, dashboard. And a browser the status page.
run-test-monitoring: all $(BPF_OBJ) $(TOOLS)
	@O=$(O) tests/monitoring/monitoring_test.sh
	@O=$(O) tests/monitoring/page_test.sh
	@O=$(O) tests/monitoring/otlp_proto_test.sh

# Random frames through the loaded program, as root; SEED=N repeats a run.
FRAMES := 10000000
SEED := 0
run-random: $(O)/tests/packet/random_test $(O)/tests/packet/wide_test $(O)/tests/packet/quic_test $(O)/tests/unit/syn_cookie_test \
		$(O)/tests/packet/guard_list_test
	@$< $(SEED) $(FRAMES)
	@$(O)/tests/packet/wide_test $(SEED) $(FRAMES)
	@$(O)/tests/packet/quic_test $(SEED) $(FRAMES)
	@$(O)/tests/unit/syn_cookie_test $(SEED) $(FRAMES)
	@$(O)/tests/packet/guard_list_test 1000000 999000

# Random frames that are explained, and then run: slots in every state, fragments, ICMP errors, records. As root.
run-test-explain: EXPLAINED := 10000
run-test-explain: $(O)/tests/packet/explain_test
	@$< $(SEED) $(EXPLAINED)

# Instructions verified, sizes, and the stack that each function uses, on this kernel; as root.
run-program-size: all $(O)/tests/vm/program_tool
	@tests/vm/program_size.sh $(O)

# How long tables, documents, changes and starts take. BENCH_FLAGS=--json for programs.
run-bench-control: all $(BPF_OBJ) $(O)/tests/bench/control
	@O=$(O) tests/bench/control.sh $(BENCH_FLAGS)

# What a packet costs, and whether the targets are met, with results in $(O)/bench/results.json. Options
# for bench.sh: BENCH_ARGS='--part live --rounds 30', BENCH_ARGS=--json, …
run-bench: $(BENCH)
	@tests/bench/bench.sh $(O) $(BENCH_ARGS)

# docs/benchmark.md and its plots, from the last whole "make bench".
bench-page:
	@python3 -B tests/bench/report.py page $(O)/bench/results.json tests/bench/insns.json docs

# Instructions a packet, in VMs; fails when they have become more. BENCH_ARGS=--record keeps them.
run-bench-insns: $(BENCH)
	@tests/bench/insns.sh $(O) $(BENCH_ARGS)

# What is found is kept in $(O)/fuzz/found.
run-fuzz: $(FUZZ)
	@tests/fuzz/run.sh $(O) $(FUZZ_SECONDS)

# --- installing ---
PREFIX := /usr/local
DESTDIR :=
SHARE = $(DESTDIR)$(PREFIX)/share
BASH_COMPLETIONS = $(SHARE)/bash-completion/completions
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system

# An lbd.json that is there already stays as it is.
install: all
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)install -d -m 755 $(DESTDIR)/etc/lbd $(BASH_COMPLETIONS) \
		$(addprefix $(DESTDIR)$(PREFIX)/,bin sbin lib/lbd) $(UNITS) $(SHARE)/man/man5 $(SHARE)/man/man8
	$(Q)install -m 755 $(O)/lbd/lbd $(DESTDIR)$(PREFIX)/sbin
	$(Q)install -m 755 $(O)/lbd/lbd-simulate $(DESTDIR)$(PREFIX)/lib/lbd
	$(Q)install -m 755 $(O)/lbctl/lbctl $(DESTDIR)$(PREFIX)/bin
	$(Q)install -m 644 $(O)/bpf/decap.bpf.o $(DESTDIR)$(PREFIX)/lib/lbd
	$(Q)install -m 644 $(filter-out %/tier.json.5,$(wildcard docs/man/*.5)) $(SHARE)/man/man5
	$(Q)install -m 644 docs/man/lbctl.8 docs/man/lbd.8 $(SHARE)/man/man8
	$(Q)install -m 644 lbd/package/*.service $(UNITS)
	$(Q)sed -i -E 's,/usr/(s?bin)/,$(PREFIX)/\1/,' $(UNITS)/lbd.service
	$(Q)$(EMULATOR) $(O)/lbctl/lbctl completion bash > $(BASH_COMPLETIONS)/lbctl
	$(Q)chmod 644 $(BASH_COMPLETIONS)/lbctl
	$(Q)test -e $(DESTDIR)/etc/lbd/lbd.json || install -m 640 lbd/package/lbd.json $(DESTDIR)/etc/lbd

# What a backend has; a package of its own.
.PHONY: install-backend
install-backend: all
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)install -d -m 755 $(DESTDIR)/etc/lbd-backend $(DESTDIR)$(PREFIX)/sbin $(UNITS) $(SHARE)/man/man8
	$(Q)install -m 755 $(O)/lbd/lbd-backend $(DESTDIR)$(PREFIX)/sbin
	$(Q)install -m 644 docs/man/lbd-backend.8 $(SHARE)/man/man8
	$(Q)install -m 644 lbd/backend/package/lbd-backend.service $(UNITS)
	$(Q)sed -i 's,/usr/sbin/,$(PREFIX)/sbin/,' $(UNITS)/lbd-backend.service
	$(Q)test -e $(DESTDIR)/etc/lbd-backend/backend.json || \
		install -m 644 lbd/backend/package/backend.json $(DESTDIR)/etc/lbd-backend

# What follows a tier, which needs libcurl; beside an lbd that is installed.
.PHONY: install-tier
install-tier: all
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)install -d -m 755 $(DESTDIR)$(PREFIX)/sbin $(UNITS) $(SHARE)/man/man5 $(SHARE)/man/man8
	$(Q)install -m 755 $(O)/lbctl/lbd-tier $(DESTDIR)$(PREFIX)/sbin
	$(Q)install -m 644 docs/man/tier.json.5 $(SHARE)/man/man5
	$(Q)install -m 644 docs/man/lbd-tier.8 $(SHARE)/man/man8
	$(Q)install -m 644 lbctl/tier/package/lbd-tier.service $(UNITS)
	$(Q)sed -i 's,/usr/sbin/,$(PREFIX)/sbin/,' $(UNITS)/lbd-tier.service

VERSION := $(shell sed -n 's/^.define LB_VERSION "\(.*\)"/\1/p' lbd/api/version.h)
# Where packages go, in place of those that are there.
DEBS := $(O)

run-deb: all
	$(Q)rm -rf $(O)/deb{,.backend,.tier} $(DEBS)/lbd{,-backend,-tier,-dbgsym}_*.deb $(DEBS)/lbd_*.cdx.json
	+$(Q)$(MAKE) --no-print-directory install DESTDIR=$(abspath $(O)/deb) PREFIX=/usr
	+$(Q)$(MAKE) --no-print-directory install-backend DESTDIR=$(abspath $(O)/deb.backend) PREFIX=/usr
	+$(Q)$(MAKE) --no-print-directory install-tier DESTDIR=$(abspath $(O)/deb.tier) PREFIX=/usr
	$(call say,DEB,$(DEBS))
	$(Q)CROSS=$(CROSS) lbd/package/deb.sh $(O)/deb $(O) $(DEBS)

# A container image, by the Dockerfile; DEBIAN is the base of both its stages.
IMAGE := lbd:$(VERSION)
IMAGE_TOOL := $(firstword $(notdir $(wildcard $(addprefix /usr/bin/,podman buildah docker))) podman)
DEBIAN := docker.io/library/debian:trixie-slim
run-image:
	$(call say,IMAGE,$(IMAGE))
	$(Q)$(IMAGE_TOOL) build $(if $(filter podman buildah,$(notdir $(IMAGE_TOOL))),--format docker) --build-arg DEBIAN=$(DEBIAN) \
		--build-arg SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || stat -c %Y lbd/api/version.h) \
		-f lbd/package/Dockerfile -t $(IMAGE) .

# The sources, and the BPF programs of this build: those that "make test" has loaded, if it was run before.
run-dist: $(PROGRAMS) $(addprefix $(O)/bpf/,$(addsuffix .skel.h,decap explain lb reqsk second trace tunnel))
	$(call say,DIST,$(O)/lbd-$(VERSION).tar.xz)
	$(Q)lbd/package/dist.sh $(O) $(O)/lbd-$(VERSION).tar.xz

clean:
	rm -rf build

help:
	@printf '%s\n' \
		'First:' \
		'make               build lbd, lbctl and the BPF programs into build/' \
		'sudo make demo     a lab of network namespaces with real traffic; KEEP=1 leaves it there to look around in' \
		'sudo make test     every test; installs what it needs' \
		'make deb           Debian packages into build/; or: sudo make install, install-backend, below PREFIX=/usr/local, DESTDIR=FOLDER' \
		'' \
		'Then:' \
		'sudo make install-tier  what keeps several nodes at one service document, in etcd' \
		'sudo make demo-drain  a backend is taken out of service under 300 connections (examples/02-drain)' \
		'sudo make demo-bgp  one of two balancers leaves the network under 300 connections (examples/03-bgp)' \
		'sudo make demo-quic  300 QUIC connections keep their servers while their clients move (examples/08-quic)' \
		'sudo make test-bgp  BIRD, FRR and keepalived announce VIPs just while a balancer serves them; BGP=bird is one of them' \
		'sudo make demo-tier  three balancers have one service document, which lies in etcd (examples/04-tier)' \
		'sudo make test-tier  1,000 revisions of it, while nodes of etcd, lbd and lbd-tier are killed and cut off, and health that agrees; 8 minutes' \
		'sudo make test-tier-gone  nothing happens but warnings while etcd is gone for 10 minutes' \
		'sudo make test-broken  how many connections break when a node or a backend comes or goes, beside IPVS; half an hour' \
		'sudo make demo-monitoring  a lab with traffic and a Prometheus, until Ctrl-C (examples/monitoring)' \
		'sudo make test-monitoring  every alert fires and clears, every panel of the dashboard has data; the status page in a browser' \
		'sudo make test-kernels  packet tests, traffic and health checks on Debian kernels 6.1 and 6.12 in VMs' \
		'sudo make test-boot  the package on a booted Debian 12 and 13, under systemd, in VMs; 10 minutes' \
		'sudo make test-compilers  the same packet tests, with programs made by clang 14 to 19, Debian 13'"'"'s too' \
		'sudo make test-debian13  build, unit and packet tests of a clean clone on a bare Debian 13; test-debian12' \
		'sudo make test-arm64  a package for arm64, cross-built, and unit tests under qemu-user' \
		'sudo make test-arm64-kernel  packet tests and traffic on Debian'"'"'s arm64 kernel, in a VM; half an hour' \
		'sudo make test-ansible  the role of examples/05-ansible on a booted Debian, twice' \
		'make image         a container image, with podman, buildah or docker' \
		'sudo make test-image  the image in a lab: three capabilities, a read-only root, and traffic' \
		'sudo make test-compose  the containers of examples/06-compose: a balancer, backends, a client' \
		'sudo make test-kubernetes  the manifests of examples/07-kubernetes, by published schemas' \
		'sudo make test-release  packages made elsewhere, later and by others are the same; the bill of materials' \
		'sudo make test-upgrade  from the package of 0.1.0 to this one and back, under live connections' \
		'sudo make test-health  health checks against real servers and through the tunnel' \
		'sudo make test-attacks  how many connections break under floods, forged SYNs, fail-over; 7 minutes' \
		'sudo make bench    what a packet costs, beside other ways to balance it; 10 minutes' \
		'sudo make bench-insns  how many instructions a packet takes on 6.1 and 6.12, beside IPVS; 5 minutes' \
		'make bench-page    docs/benchmark.md from what the last "make bench" has measured' \
		'make figures       what changes of backends cost, in slots and in broken flows' \
		'sudo make bench-control  how long tables, documents, changes and starts take' \
		'make fuzz          60 s of each fuzzer, or FUZZ_SECONDS=N' \
		'sudo make random   FRAMES=10000000 random frames through the program; SEED=N repeats a run' \
		'sudo make test-explain  10,000 random frames, EXPLAINED=N, are explained and then go where that says' \
		'sudo make program-size  what this kernel makes of the programs: instructions, bytes, stack' \
		'make dist          a release into build/: the sources, and the BPF programs compiled' \
		'make SAN=1         the same with AddressSanitizer and UBSan, into build/san' \
		'make lint          shellcheck, clang-format, direction of includes and calls, links and names in the docs' \
		'make clean         remove build/'

.PHONY: all clean dist docs figures help man direction lint tests sanitized demo demo-drain demo-bgp demo-quic demo-build test test-bgp test-kernels test-boot test-compilers \
	test-debian12 test-debian13 bpf-objects compiled run-test-compilers run-test-debian12 run-test-debian13 \
	test-health test-attacks test-image run-test-image test-kubernetes run-test-kubernetes test-release run-test-release test-upgrade run-test-upgrade test-arm64 run-test-arm64 image run-image run-dist fuzz deb install \
	random test-explain program-size bench bench-control bench-insns bench-page run-test-explain run-demo run-demo-drain run-demo-bgp run-demo-quic run-test run-test-bgp run-test-kernels \
	run-test-boot run-test-health run-test-attacks run-fuzz run-deb run-random run-program-size run-bench run-bench-control \
	run-bench-insns
.SECONDARY:
