# Makes what a container is and runs a command in it. Runs as root of fresh mount, pid, network and ipc namespaces.
#
# ROOT    the root folder, seen read-only
# MOUNT   an empty folder, where the view is put together
# VENUS   the folder of the host's socket, seen as /run/venus
# USER_ID the user on this machine that the command runs as, root of a user namespace; empty to stay who we are
# "$@"    environment settings, then the command
set -eu
PATH="$PATH:/usr/sbin:/sbin"
mount --make-rprivate /
mount --rbind "$ROOT" "$MOUNT"
mount -o remount,bind,ro "$MOUNT" 2>/dev/null || true
mount -t tmpfs -o mode=755 tmpfs "$MOUNT/dev"
for device in null zero random urandom; do
    : >"$MOUNT/dev/$device"
    mount --bind "/dev/$device" "$MOUNT/dev/$device"
done
mkdir "$MOUNT/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$MOUNT/dev/shm"
mount -t proc proc "$MOUNT/proc"
mount -t tmpfs -o mode=1777 tmpfs "$MOUNT/tmp"
mount -t tmpfs -o mode=755 tmpfs "$MOUNT/run"
mkdir "$MOUNT/run/venus"
mount --bind "$VENUS" "$MOUNT/run/venus"
if [ -n "$USER_ID" ]; then
    # Nobody may make a user namespace who is in a chroot already.
    exec setpriv --reuid="$USER_ID" --regid="$USER_ID" --clear-groups \
        unshare --user --map-root-user -- chroot "$MOUNT" /usr/bin/env -i "$@"
fi
exec chroot "$MOUNT" /usr/bin/env -i "$@"
