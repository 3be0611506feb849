#!/bin/busybox sh
# The guest's first process, in the initial file system: makes the disk and the graphics device appear, and moves on to
# the disk. /modules/order names what to load, each after what it needs.
b=/bin/busybox
$b mkdir -p /dev /proc /sys /disk
$b mount -t devtmpfs devtmpfs /dev
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
while read -r module; do
    $b insmod "/modules/$module" || echo "first: $module was not loaded"
done </modules/order
tries=0
until $b mount -t ext4 -o ro,noload /dev/vda /disk 2>/dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ]; then
        echo "first: there is no disk"
        $b poweroff -f
    fi
    $b sleep 0.1
done
$b mount -t tmpfs -o mode=755 tmpfs /disk/run
$b cp $b /second /disk/run/
$b mkdir /disk/run/job
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 job /disk/run/job
$b mount --move /dev /disk/dev
$b umount /proc /sys
exec $b switch_root /disk /run/busybox sh /run/second
