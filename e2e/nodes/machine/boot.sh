#!/bin/sh
# One boot of one machine, as process 1 of namespaces of its own (see power.ts). Descriptor 3 is the network that the
# machine's cable leads to. Descriptor 4 is its power: it ends, this script ends, and the kernel ends all that runs here.
set -e

# What tells this machine's kernel and this boot from others. Containers get the boot ID by a hook (see files.ts).
echo "$NAME" > /proc/sys/kernel/hostname
mount --bind boot-id /proc/sys/kernel/random/boot_id
mount --bind os-release "$(readlink -f /etc/os-release)"
[ ! -f /etc/machine-id ] || mount --bind machine-id /etc/machine-id
[ ! -f /sys/class/dmi/id/product_uuid ] || mount --bind system-uuid /sys/class/dmi/id/product_uuid
# A kubelet sets these for the whole machine, which is not ours alone.
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  [ ! -f "/proc/sys/$name" ] || mount --bind "sysctl/${name##*/}" "/proc/sys/$name"
done
mount --bind resolv.conf "$(readlink -f /etc/resolv.conf)"

ip link set lo up
# The kernel may not be done yet with the last boot's network.
nsenter --net=/proc/self/fd/3 ip link del "$CABLE" 2> /dev/null || true
ip link add eth0 address "$MAC" type veth peer name "$CABLE" netns /proc/self/fd/3
nsenter --net=/proc/self/fd/3 ip link set "$CABLE" master "$BRIDGE" up
nsenter --net=/proc/self/fd/3 ip route replace "$POD_SUBNET" via "$ADDRESS"
ip addr add "$ADDRESS/$PREFIX" dev eth0
ip link set eth0 up
ip route add default via "$GATEWAY"
echo 1 > /proc/sys/net/ipv4/ip_forward

# keep NAME COMMAND...: starts a program again whenever it ends, unless the machine has a file hold.NAME.
keep() {
  name=$1
  shift
  while :; do
    while [ -e "hold.$name" ]; do sleep 0.2; done
    "$@" >> "$LOGS.$name.log" 2>&1 || true
    sleep 1
  done
}

programs() {
  exec 3<&- 4<&-
  keep containerd containerd --config "$PWD/containerd.toml" &
  until ctr version > /dev/null 2>&1; do sleep 0.05; done
  keep kubelet "$KUBELET" --config "$PWD/kubelet.yaml" --kubeconfig "$PWD/kubelet.kubeconfig" \
    --hostname-override "$NAME" --node-ip "$ADDRESS" --node-labels "$LABELS" --root-dir /var/lib/kubelet --v 2 &
  keep kube-proxy "$KUBE_PROXY" --config "$PWD/kube-proxy.yaml" --v 1 &
  wait
}

programs &
cat <&4 > /dev/null &
wait "$!"
