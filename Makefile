# SPDX-License-Identifier: MIT
# The front door. Userspace is built by meson, the modules by Kbuild, the VM by lab/.
#
#   make demo     the main job on a kernel of Debian's, in a VM with an emulated endpoint; KERNEL=lab on the
#                 one that the tests use, which is built first
#   make test     everything: make check, make prove, the tests in the VM, some of them on Debian's kernels
#                 too, the stress test there and on a kernel with KASAN, lockdep and failing allocations,
#                 FUZZ_SECONDS (60) of fuzzing
#   make clients  other people's programs, and those that know no more than vfio-pci, in the VM
#   make test-packages   the packages, built in a bare Debian 12 and 13 and installed there, with DKMS for
#                 two kernels each; needs root, and the network for the first time
#   make test-sanitize   the stress test on that kernel, for three seeds instead of one
#   make check    the part that needs no VM and no network
#   make prove    the driver's pure files by CBMC, every input at once; with MUTANTS=1, that each of a
#                 list of faults is found
#   make scenarios what happens to an IOMMU group when a device is given to a user: predicted, then done
#   make coverage line coverage of driver/ by unit tests and VMs (on the sanitizer kernel)
#   make fuzz     look for inputs that break a rule, for FUZZ_SECONDS (60)
#   make shell    a prompt in the VM, with tphctl in it
#   make driver   tph-vfio-pci.ko for the running kernel (KDIR=... for another); with NAME=vfio-pci
#                 it is called that, and takes the place of the stock module; TPH_ALIASES="8086:1521 ..."
#                 are devices for which it has an alias (doc/install.md)
#   make deb      Debian packages, the module's source for DKMS among them
#   make install  library, tool, emulator, manual pages, systemd unit and udev rule (DESTDIR, PREFIX)
#                 and, with KDIR, the module for that kernel
#   make clean    what was built from this checkout; the kernel and QEMU stay in the cache

CACHE := $(or $(VFIO_TPH_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vfio-tph)
TREE  := $(CACHE)/build/$(shell printf %s '$(CURDIR)' | sha256sum | cut -c1-12)
BUILD := $(TREE)/plain
ASAN  := $(TREE)/asan
KDIR  ?= /lib/modules/$(shell uname -r)/build
NAME  ?= tph-vfio-pci
KERNEL ?= debian-7.3
PREFIX ?= /usr/local

export VFIO_TPH_CACHE := $(CACHE)
export VFIO_TPH_BUILD := $(BUILD)

MESON_plain :=
MESON_counted := -Db_coverage=true
MESON_asan  := -Db_sanitize=address,undefined -Db_lundef=false

.PHONY: all demo scenarios clients test test-packages test-sanitize coverage check prove fuzz shell lab driver deb \
	install clean plain asan counted packages-check packages-fuzz packages-demo packages-lab packages-coverage \
	packages-clients packages-deb packages-chroot
.DEFAULT_GOAL := all

all: plain

packages-check:
	@lab/packages check

packages-fuzz:
	@lab/packages fuzz

packages-demo:
	@lab/packages demo

packages-lab:
	@lab/packages lab

packages-coverage:
	@lab/packages coverage

packages-clients:
	@lab/packages clients

packages-deb:
	@lab/packages deb

packages-chroot:
	@lab/packages chroot

plain asan counted: %: packages-check
	@mkdir -p '$(TREE)'
	@[ -e '$(TREE)/$@/build.ninja' ] || meson setup $(MESON_$@) '$(TREE)/$@' >'$(TREE)/$@.log' 2>&1 || \
		{ cat '$(TREE)/$@.log'; exit 1; }
	@ninja --quiet -C '$(TREE)/$@'

lab: packages-lab plain
	@lab/setup

# no more is built than it runs
demo: packages-demo
	@mkdir -p '$(TREE)'
	@[ -e '$(BUILD)/build.ninja' ] || meson setup '$(BUILD)' >'$(TREE)/plain.log' 2>&1 || \
		{ cat '$(TREE)/plain.log'; exit 1; }
	@ninja --quiet -C '$(BUILD)' tools/tphctl emu/tph-emu examples/tour examples/peer
	@lab/setup '$(KERNEL)'
	@LAB_KERNEL='$(KERNEL)' lab/demo

scenarios: lab
	@tests/vm/scenarios/table

shell: lab
	@lab/run --shell --module tph-vfio-pci --endpoint port=1,st-table=cap,entries=64,modes=nost+iv+ds,width=16

check: asan
	@tests/run --build '$(ASAN)' check

test: packages-fuzz asan lab
	@tests/run --build '$(ASAN)' check prove vm stress headers kernels demo fuzz sanitize

clients: packages-clients lab
	@tests/clients/run

test-packages: packages-chroot
	@tests/package/run

test-sanitize: lab
	@tests/run --build '$(BUILD)' --seeds 3 sanitize

# Counts are of one run: those of the last are removed first.
coverage: packages-coverage counted lab
	@lab/setup sanitize
	@rm -rf '$(TREE)/counted-vm'
	@find '$(TREE)/counted' -name '*.gcda' -delete
	@meson test -C '$(TREE)/counted' --no-rebuild --suite unit
	@VFIO_TPH_KERNEL=sanitize VFIO_TPH_COVERAGE='$(TREE)/counted-vm' tests/vm/run
	@lab/coverage --minimum 95 --unreached tests/unreached.list '$(TREE)/counted' '$(TREE)/counted-vm'

prove: packages-check
	@tests/proof/run $(if $(filter 1,$(MUTANTS)),--mutants)

fuzz:
	@tests/fuzz/run --seconds $(or $(FUZZ_SECONDS),60)

driver:
	@case '$(NAME)' in tph-vfio-pci|vfio-pci) ;; \
	*) echo "NAME=$(NAME): the module is called tph-vfio-pci or vfio-pci" >&2; exit 2 ;; esac
	@lab/stage driver '$(TREE)/driver-$(NAME)'
	$(MAKE) -C '$(KDIR)' M='$(TREE)/driver-$(NAME)' TPH_MODULE='$(NAME)' modules
	@echo "$(TREE)/driver-$(NAME)/$(NAME).ko"

deb: packages-deb
	@packaging/deb '$(TREE)/deb'

# Packaged headers have neither the key of their kernel, nor the System.map without which its
# modules_install leaves depmod out.
UNSIGNED := $(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=)

# The module only where a kernel is named: the running one is not always the one that is meant.
install: plain
	meson configure '$(BUILD)' --prefix '$(PREFIX)'
	DESTDIR='$(DESTDIR)' meson install -C '$(BUILD)'
ifeq ($(origin KDIR),file)
	@echo "The module was not installed: say for which kernel, KDIR=/lib/modules/.../build" >&2
else
	@$(MAKE) --no-print-directory driver
	$(MAKE) -C '$(KDIR)' M='$(TREE)/driver-$(NAME)' TPH_MODULE='$(NAME)' \
		INSTALL_MOD_PATH='$(DESTDIR)' INSTALL_MOD_DIR=updates $(UNSIGNED) modules_install
	PATH="$$PATH:/usr/sbin:/sbin" depmod -b '$(or $(DESTDIR),/)' \
		"$$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' '$(KDIR)/include/generated/utsrelease.h')"
endif

clean:
	rm -rf '$(TREE)'
