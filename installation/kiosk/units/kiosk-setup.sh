#!/bin/sh
# What only root can set up for a machine that runs alone. Written by `mirror kiosk install`.
# Read it, then: sudo sh $here
# Every step can be run again; `mirror check --kiosk` looks whether each has taken effect.
set -eu

echo "1. Log $user in on the first console by itself."
mkdir -p /etc/systemd/system/getty@tty1.service.d
cat > /etc/systemd/system/getty@tty1.service.d/mirror-kiosk.conf <<'UNIT'
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin $user --noclear %I $$TERM
UNIT
systemctl set-default multi-user.target

echo "2. Start the show from that login, and from no other."
cat > /etc/profile.d/mirror-kiosk.sh <<'PROFILE'
if [ "$$(id -un)" = "$user" ] && [ "$$(tty)" = /dev/tty1 ]; then
    systemctl --user import-environment XDG_SESSION_ID XDG_SEAT XDG_VTNR
    systemctl --user start mirror-kiosk.target
fi
PROFILE

echo "3. Never sleep, never blank the console."
systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target
if [ -f /etc/default/grub ] && ! grep -q consoleblank=0 /etc/default/grub; then
    sed -i 's/^GRUB_CMDLINE_LINUX="/&consoleblank=0 /' /etc/default/grub
    update-grub
fi
echo 0 > /sys/module/kernel/parameters/consoleblank 2>/dev/null || true

echo "4. No updates while nobody looks: make them by hand, and rehearse afterwards."
for unit in apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service packagekit.service; do
    systemctl disable --now "$$unit" 2>/dev/null || true
done

echo "5. Let $user use the camera and the graphics card."
for group in video render input; do
    getent group "$$group" >/dev/null && usermod -aG "$$group" "$user"
done

echo "6. No crash reports with memory in them."
systemctl disable --now apport.service 2>/dev/null || true
mkdir -p /etc/systemd/coredump.conf.d
printf '[Coredump]\nStorage=none\nProcessSizeMax=0\n' > /etc/systemd/coredump.conf.d/mirror-kiosk.conf

echo "Done. Now, as $user: mirror check --kiosk; then reboot and watch it come up."
