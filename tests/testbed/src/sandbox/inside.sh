# Runs a program inside a guest, with an X server of its own where SCREEN (WxH) is set, and notes when it ran.
# The namespaces end with this shell, and the X server with them.
if [ -n "${SCREEN:-}" ]; then
    # The server writes its display number into the pipe when it is ready; the pipe just closes when it fails.
    mkfifo /tmp/display
    Xvfb :0 -screen 0 "${SCREEN}x24" -fbdir /run/venus -nolisten tcp -displayfd 3 \
        3>/tmp/display >/run/venus/xvfb.log 2>&1 &
    if ! read -r number </tmp/display; then
        echo "Xvfb did not start:" >&2
        cat /run/venus/xvfb.log >&2
        exit 125
    fi
    export DISPLAY=":$number"
fi
date +%s%N >/run/venus/started
"$@"
status=$?
date +%s%N >/run/venus/ended
exit $status
