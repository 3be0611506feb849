# The guest's first process on its disk, which is read-only: runs the job that its machine was given, and turns it off.
#
# /run/job is a folder of the machine outside. In it are `run.sh`, the job; `out`, `err` and `status`, which the job leaves.
b=/run/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games HOME=/tmp LANG=C.UTF-8
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mkdir -p /dev/shm /dev/pts
$b mount -t devpts devpts /dev/pts
$b mount -t tmpfs -o mode=1777 tmpfs /dev/shm
$b mount -t tmpfs -o mode=1777 tmpfs /tmp
$b mkdir -m 0700 /run/user
$b mkdir -m 1777 /tmp/.X11-unix
export XDG_RUNTIME_DIR=/run/user
for manifest in /usr/share/vulkan/icd.d/virtio_icd*.json; do
    export VK_DRIVER_FILES="$manifest"
done
cd /run/job || $b poweroff -f
$b cut -d' ' -f1 /proc/uptime >up
echo "second: the job begins"
$b sh ./run.sh >>out 2>>err
status=$?
echo "second: the job ended with status $status"
echo $status >status
$b sync
$b poweroff -f
