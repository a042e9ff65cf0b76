# Makes a root of its own in memory and starts systemd in it. Runs as the first process of fresh namespaces.
#
# Nothing of the host's file system can be written from inside: systemd's first start empties /tmp among other things.
# Only /usr and the tests' programs are seen, read-only; the old root is unmounted before systemd starts.
#
# Arguments: an empty directory, the directory of the tests' programs, a directory with units.
set -eu
root=${1:?} programs=${2:?} units=${3:?}

mount --make-rprivate /
mount -t tmpfs -o mode=755,size=64m tmpfs "$root"
cd "$root"
mkdir usr etc run tmp var proc sys dev root old programs

mount --bind /usr usr
mount -o remount,bind,ro usr
mount --bind "$programs" programs
mount -o remount,bind,ro programs
for name in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$name" ]; then ln -s "usr/$name" "$name"; fi
done

echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >>etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' >etc/group
cp /etc/ld.so.cache etc/
mkdir -p etc/systemd/system
cp "$units"/* etc/systemd/system/

mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
if [ -e proc/sysrq-trigger ]; then mount --bind /dev/null proc/sysrq-trigger; fi
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom; do
    : >"dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
ip link set lo up

pivot_root . old
cd /
umount -l /old
rmdir /old
if [ -e /home ] || [ "$(stat -f -c %T /)" != tmpfs ] || touch /usr/written 2>/dev/null; then
    echo 'the host is still within reach' >&2
    exit 1
fi
# Without these not even a unit that somebody adds could reach a disk, a module, the clock or the machine's power.
exec setpriv --bounding-set=-mknod,-sys_module,-sys_rawio,-sys_boot,-sys_time -- \
    env -i container=lastack PATH=/usr/sbin:/usr/bin \
    /usr/lib/systemd/systemd --system --unit=lab.target --show-status=0 --log-target=null
