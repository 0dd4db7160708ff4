#!/usr/bin/env bash
# run-in-vm.sh KERNEL_DIR COMMAND [ARGUMENT...]
#
# Runs a command as root in a throw-away virtual machine with another kernel than this machine's:
# in the caller's directory, with the caller's environment, on this machine's own root, which the
# VM sees read-only under a layer of memory that ends with it. There is no network but lo, no
# stdin; output comes as it is written. Kernel modules load on demand.
#
# Ends with the command's exit status; 124 after VM_TIMEOUT; 125 when there was no VM or it gave
# no status, with what its console said.
#
#   KERNEL_DIR          an unpacked Debian kernel package, see fetch-kernel.sh
#   VM_MEMORY=1024      MiB
#   VM_CPUS=2
#   VM_TIMEOUT=600      seconds
#   VM_MODULES=...      loaded first: what programs would load themselves, where they cannot
#   VM_ACCELERATOR=...  kvm or tcg; kvm where the processor has it
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

fail() {
  echo "run-in-vm: $*" >&2
  exit 125
}

[ $# -ge 2 ] || fail "usage: run-in-vm.sh KERNEL_DIR COMMAND [ARGUMENT...]"
[ "$(id -u)" -eq 0 ] || fail "only root may show all of / to a virtual machine"
for tool in qemu-system-x86_64 busybox cpio unshare timeout; do
  command -v "$tool" >/dev/null || fail "$tool is missing; tools/install-system.sh vm installs it"
done
for virtiofsd in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd /usr/lib/virtiofsd ''; do
  [ ! -x "$virtiofsd" ] || break
done
[ -n "$virtiofsd" ] || fail "virtiofsd is missing; tools/install-system.sh vm installs it"

directory=$(realpath -- "$1")
shift
kernel=$(find "$directory/boot" -maxdepth 1 -name 'vmlinuz-*' 2>/dev/null | head -n 1)
[ -n "$kernel" ] || fail "$directory is no unpacked kernel package; tools/fetch-kernel.sh makes one"
version=${kernel##*/vmlinuz-}
modules=$directory/lib/modules/$version
[ -s "$modules/modules.dep" ] || fail "$modules has no modules.dep; tools/fetch-kernel.sh makes it"

work=$(mktemp -d)
processes=()
clean_up() {
  [ ${#processes[@]} -eq 0 ] || kill "${processes[@]}" 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# ---- the root file system ---------------------------------------------------------------------
# Debian's cloud kernels have virtiofs and no 9p. virtiofsd itself would let the VM write, so it
# runs where / is mounted read-only; its socket is made on a tmpfs that stays writable.
memory=${VM_MEMORY:-1024}
serve_root() {
  unshare --mount sh -eu -c '
    mount -t tmpfs tmpfs /run
    mount --bind "$1" "$1"
    mount -o remount,bind,ro /
    exec "$2" --socket-path="$1/root" -o source=/ -o cache=always -o sandbox=chroot
  ' - "$work" "$virtiofsd" >"$work/virtiofsd.log" 2>&1 &
  processes+=($!)
  for _ in {1..100}; do
    [ ! -S "$work/root" ] || return 0
    sleep 0.05
  done
  cat "$work/virtiofsd.log" >&2
  fail "virtiofsd does not start"
}

# ---- what runs in the VM before the command ---------------------------------------------------
# busybox, the few modules on the way to the root, and two scripts: `init` mounts the root and
# makes way for `main`, which completes it, runs the command and reports the status.
make_initrd() {
  local root=$work/initrd module
  mkdir -p "$root/vm" "$root/lib/modules/$version"
  cp "$(command -v busybox)" "$root/vm/busybox"
  ln -s busybox "$root/vm/modprobe"
  cp "$modules/modules.dep" "$root/lib/modules/$version/"
  for module in virtio_pci virtio_console virtiofs overlay; do
    # The module and those it needs, from `path: path path`; built-in ones have no line.
    grep -E "(^|/)$module\.ko[^:]*:" "$modules/modules.dep" || true
  done | tr -s ': ' '\n' | sort -u | while read -r module; do
    [ -z "$module" ] || (cd "$modules" && cp --parents "$module" "$root/lib/modules/$version/")
  done
  write_init >"$root/init"
  write_main >"$root/vm/main"
  write_command "$@" >"$root/vm/command"
  chmod 755 "$root/init"
  (cd "$root" && find . | cpio --quiet -o -H newc) >"$work/initrd.cpio"
}

write_init() {
  cat <<INIT
#!/vm/busybox sh
exec 2>&1
PATH=/vm
alias b=busybox
trap 'b reboot -f' EXIT
set -e
b mkdir -p /proc /sys /dev /lower /memory /new
b mount -t devtmpfs dev /dev
b mount -t proc proc /proc
b mount -t sysfs sys /sys
modprobe -a virtio_pci virtio_console virtiofs overlay
b mount -t virtiofs -o ro root /lower
b mount -t tmpfs -o mode=755,size=80% memory /memory
b mkdir /memory/upper /memory/work
b mount -t overlay -o lowerdir=/lower,upperdir=/memory/upper,workdir=/memory/work root /new
for folder in proc sys dev; do b mount --move /\$folder /new/\$folder; done
b mount -t tmpfs -o mode=755 run /new/run
b cp -a /vm /new/run/
exec /vm/busybox switch_root /new /run/vm/busybox sh /run/vm/main
INIT
}

write_main() {
  cat <<MAIN
PATH=/run/vm:$PATH
alias b=busybox
trap 'b reboot -f' EXIT
b mkdir -p /lib/modules/$version /dev/pts /dev/shm
b mount --bind $(printf %q "$modules") /lib/modules/$version
echo /run/vm/modprobe >/proc/sys/kernel/modprobe
b mount -t devpts pts /dev/pts
b mount -t tmpfs shm /dev/shm
b mount -t cgroup2 cgroup /sys/fs/cgroup
b ln -sf /proc/self/fd /dev/fd
b ln -sf /proc/self/fd/0 /dev/stdin
b ln -sf /proc/self/fd/1 /dev/stdout
b ln -sf /proc/self/fd/2 /dev/stderr
for module in ${VM_MODULES:-}; do /run/vm/modprobe "\$module"; done
b ip link set lo up
b hostname vm
for port in /sys/class/virtio-ports/*; do
  read -r name <\$port/name
  eval "\$name=/dev/\${port##*/}"
done
b setsid bash /run/vm/command </dev/null >\$output 2>&1
result=\$?
b sync
echo \$result >\$status
MAIN
}

write_command() {
  export -p
  printf 'PATH=$PATH:/run/vm\ncd -- %q || exit 125\nexec' "$PWD"
  printf ' %q' "$@"
  echo
}

# ---- the machine ------------------------------------------------------------------------------
accelerator=${VM_ACCELERATOR:-tcg}
if [ -z "${VM_ACCELERATOR:-}" ] && [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then
  accelerator=kvm
fi
[ "$accelerator" != tcg ] || accelerator=tcg,thread=multi

boot() {
  local options=(
    -nodefaults -no-user-config -no-reboot -display none
    -machine q35,memory-backend=memory -accel "$accelerator" -cpu max,la57=off -smp "${VM_CPUS:-2}"
    -m "$memory" -object "memory-backend-memfd,id=memory,size=${memory}M,share=on"
    -kernel "$kernel" -initrd "$work/initrd.cpio"
    -append "console=ttyS0 quiet loglevel=4 panic=-1 random.trust_cpu=on mitigations=off"
    -serial "file:$work/console" -device virtio-rng-pci
    -chardev "socket,id=root,path=$work/root" -device vhost-user-fs-pci,chardev=root,tag=root
    -device virtio-serial-pci
    # A set of descriptors has the file written to as it is: opened by its name, our stdout
    # would be cut short.
    -add-fd fd=3,set=1
    -chardev file,id=output,path=/dev/fdset/1,append=on
    -device virtserialport,chardev=output,name=output
    -chardev "file,id=status,path=$work/status"
    -device virtserialport,chardev=status,name=status
  )
  timeout --kill-after=5 "${VM_TIMEOUT:-600}" qemu-system-x86_64 "${options[@]}" \
    </dev/null >"$work/qemu.log" 2>&1 &
  processes+=($!)
  wait $!
}

serve_root
make_initrd "$@"
exec 3> >(exec cat)
cat=$!
ended=0
boot || ended=$?
exec 3>&-
wait "$cat" || true

if [ -s "$work/status" ]; then
  exit "$(cat "$work/status")"
fi
cat "$work/console" "$work/qemu.log" "$work/virtiofsd.log" >&2 2>/dev/null || true
if [ "$ended" -eq 124 ]; then
  echo "run-in-vm: no end within ${VM_TIMEOUT:-600} s" >&2
  exit 124
fi
fail "the VM gave no exit status (qemu ended with $ended)"
