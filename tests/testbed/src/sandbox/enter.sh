# Makes a guest's view of the file system and runs a command in it. Runs as root of fresh mount, pid, network and ipc
# namespaces, so every mount made here vanishes with them.
#
# ROOT    the guest's root folder; "/" for this machine's own programs
# MOUNT   an empty folder, where the view is put together
# SHARED  a folder the guest sees as /run/venus
# VTEST   the folder of the host's vtest socket, seen as /run/vtest; may be empty
# BINDS   further folders of this machine, one per line: a name below /run, a space, a path; may be empty
# DRIVER  another root, seen as /run/driver, whose Vulkan driver the guest uses; may be empty
# "$@"    environment settings of the guest, then the command
set -eu
# A user's search path may lack the folders of mount and chroot.
PATH="$PATH:/usr/sbin:/sbin"
mount --make-rprivate /
mount --rbind "$ROOT" "$MOUNT"
# A root in the cache serves many runs and must not change. An unprivileged namespace may not remount every kind of
# file system; there the guest can write only what its user could write anyway.
mount -o remount,bind,ro "$MOUNT" 2>/dev/null || true
mount --rbind /dev "$MOUNT/dev"
mount --rbind /sys "$MOUNT/sys"
mount -t proc proc "$MOUNT/proc"
mount -t tmpfs -o mode=1777 tmpfs "$MOUNT/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$MOUNT/tmp"
mount -t tmpfs -o mode=755 tmpfs "$MOUNT/run"
mkdir -m 0700 "$MOUNT/run/user"
mkdir "$MOUNT/run/venus" "$MOUNT/run/vtest"
mount --bind "$SHARED" "$MOUNT/run/venus"
if [ -n "$VTEST" ]; then
    mount --bind "$VTEST" "$MOUNT/run/vtest"
fi
printf '%s' "$BINDS" | while read -r name path; do
    mkdir "$MOUNT/run/$name"
    mount --bind "$path" "$MOUNT/run/$name"
done
if [ -n "$DRIVER" ]; then
    mkdir "$MOUNT/run/driver"
    mount --rbind "$DRIVER" "$MOUNT/run/driver"
fi
exec chroot "$MOUNT" /usr/bin/env -i "$@"
