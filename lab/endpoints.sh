# SPDX-License-Identifier: MIT
# Where the emulated endpoints of a run go, and the switches above them: from lab/run's --endpoint and
# --switch to PCI addresses, to what the emulator is told and to what QEMU is told.
# shellcheck shell=bash

# Port N sits in slot N of the root bus, so that the bus behind it gets number N, plus those that
# switches behind lower ports take.
PORT_MAX=15
DOWNSTREAM_MAX=8
SLOT_MIN=0x10
SLOT_MAX=0x1e

# One element an endpoint, in the order of the command line.
ENDPOINT_NAMES=()	# its name
ENDPOINT_RIDS=()	# its requester id, "01:00.0"
ENDPOINT_SEATS=()	# where: "PORT SLOT", PORT a number N, N.M below a switch, or root
ENDPOINT_FUNCTIONS=()	# its function there
ENDPOINT_KEYS=()	# the keys that are the emulator's, each with a comma in front

declare -A endpoint_seats=()	# "PORT SLOT" -> the digits of the functions there
declare -A switches=()		# root port -> number of downstream ports of the switch there
declare -A switch_functions=()	# root port -> yes: they are functions of one device
SWITCH_NO_PREFIXES=()		# root ports whose switch does not know End-End TLP prefixes

# number WHAT VALUE MIN MAX: VALUE is a number, decimal or 0x..., in that range.
number()
{
	if ! [[ $2 =~ ^(0x[0-9a-fA-F]{1,4}|[1-9][0-9]{0,5}|0)$ ]] || (($2 < $3 || $2 > $4)); then
		misuse "$1 is '$2', but must be a number from $(($3)) to $(($4))"
	fi
}

# switch_add SPEC: a switch behind a root port. All of them come before the first endpoint, for they
# take bus numbers.
switch_add()
{
	local what="--switch $1" port='' count=2 functions='' prefixes=on pairs pair value
	IFS=, read -r -a pairs <<<"$1"
	for pair in "${pairs[@]}"; do
		[[ $pair == ?*=?* ]] || misuse "$what: '$pair' is not KEY=VALUE"
		value=${pair#*=}
		case $pair in
		port=*)
			number "$what: port" "$value" 1 $PORT_MAX
			port=$((value))
			;;
		ports=*)
			number "$what: ports" "$value" 1 $DOWNSTREAM_MAX
			count=$((value))
			;;
		functions=on | functions=off)
			functions=${value#off}
			;;
		prefixes=on | prefixes=off)
			prefixes=$value
			;;
		functions=* | prefixes=*)
			misuse "$what: ${pair%%=*} is '$value', but must be on or off"
			;;
		*)
			misuse "$what: there is no key '${pair%%=*}', only port, ports, functions," \
				"prefixes"
			;;
		esac
	done
	[[ -n $port ]] || misuse "$what: port=N is missing, the root port that it is behind"
	[[ -z ${switches[$port]:-} ]] || misuse "$what: root port $port has a switch already"
	switches[$port]=$count
	switch_functions[$port]=$functions
	[[ $prefixes == on ]] || SWITCH_NO_PREFIXES+=("$port")
}

# port_bus N|N.M: sets bus to the number of the bus behind that port. Firmware counts depth first: the
# switch's own bus comes before those behind its downstream ports.
port_bus()
{
	local port
	bus=${1%.*}
	for port in "${!switches[@]}"; do
		((port >= ${1%.*})) || ((bus += 1 + switches[$port]))
	done
	[[ $1 != *.* ]] || ((bus += 1 + ${1#*.}))
}

# downstream_port N.M: sets port to that, if there is such a port below a switch.
downstream_port()
{
	local root=${1%%.*}
	number "$what: root port" "$root" 1 $PORT_MAX
	root=$((root))
	[[ -n ${switches[$root]:-} ]] ||
		misuse "$what: root port $root has no switch; --switch port=$root makes one"
	number "$what: downstream port" "${1#*.}" 1 "${switches[$root]}"
	port=$root.$((${1#*.}))
}

# free_seat PORT|root: the first one at or after the given that has no endpoint and no switch; sets
# port and slot.
free_seat()
{
	if [[ $1 == root ]]; then
		for ((slot = SLOT_MIN; slot <= SLOT_MAX; slot++)); do
			[[ -n ${endpoint_seats[root $slot]:-} ]] || return 0
		done
		misuse "$what: no slot of the root complex is left"
	fi
	slot=0
	for ((port = $1; port <= PORT_MAX; port++)); do
		[[ -n ${endpoint_seats[$port 0]:-}${switches[$port]:-} ]] || return 0
	done
	misuse "$what: no root port is left"
}

# endpoint_add SPEC: takes the place from the keys, and keeps the others.
endpoint_add()
{
	local what="--endpoint $1" port='' slot='' function=0 name=ep${#ENDPOINT_NAMES[@]} keys=
	local pairs pair value bus rid i
	IFS=, read -r -a pairs <<<"$1"
	for pair in "${pairs[@]}"; do
		[[ $pair == ?*=?* ]] || misuse "$what: '$pair' is not KEY=VALUE"
		value=${pair#*=}
		case $pair in
		port=root)
			port=root
			;;
		port=*.*)
			downstream_port "$value"
			;;
		port=*)
			number "$what: port" "$value" 1 $PORT_MAX
			port=$((value))
			[[ -z ${switches[$port]:-} ]] || misuse "$what: root port $port has a switch;" \
				"behind it are port=$port.1 to $port.${switches[$port]}"
			;;
		slot=*)
			number "$what: slot" "$value" $SLOT_MIN $SLOT_MAX
			slot=$((value))
			;;
		function=*)
			number "$what: function" "$value" 0 7
			function=$((value))
			;;
		name=*)
			name=$value
			;;
		socket=* | rid=*)
			misuse "$what: ${pair%%=*} comes from lab/run"
			;;
		profile=*/*)
			keys+=,$pair
			;;
		profile=*)
			# one of the catalogue
			[[ -f $LAB/../emu/profiles/$value.lspci ]] || misuse "$what: there is no" \
				"profile '$value' in emu/profiles; give one of them, or a path"
			keys+=,profile=$LAB/../emu/profiles/$value.lspci
			;;
		*)
			keys+=,$pair
			;;
		esac
	done

	[[ $name =~ ^[A-Za-z0-9_-]{1,32}$ ]] ||
		misuse "$what: a name is of letters, digits, - and _, at most 32"
	[[ -z $slot || $port == root ]] || misuse "$what: slot needs port=root"
	if [[ $port == root ]]; then
		[[ -n $slot ]] || free_seat root
		printf -v rid '00:%02x.%d' "$slot" "$function"
	else
		[[ -n $port ]] || free_seat 1
		slot=0
		port_bus "$port"
		printf -v rid '%02x:00.%d' "$bus" "$function"
	fi
	for ((i = 0; i < ${#ENDPOINT_NAMES[@]}; i++)); do
		[[ ${ENDPOINT_RIDS[i]} != "$rid" ]] ||
			misuse "$what: ${ENDPOINT_NAMES[i]} is at 0000:$rid already"
		[[ ${ENDPOINT_NAMES[i]} != "$name" ]] ||
			misuse "$what: that is the name of 0000:${ENDPOINT_RIDS[i]} already"
	done

	ENDPOINT_NAMES+=("$name")
	ENDPOINT_RIDS+=("$rid")
	ENDPOINT_SEATS+=("$port $slot")
	ENDPOINT_FUNCTIONS+=("$function")
	ENDPOINT_KEYS+=("$keys")
	endpoint_seats[$port $slot]+=$function
}

# endpoints_check ARGUMENT...: what can be told only when all are there. Linux looks for the other
# functions of a device only if it finds function 0, which may come by one of QEMU's arguments.
endpoints_check()
{
	local i
	for i in "${!ENDPOINT_NAMES[@]}"; do
		[[ ${endpoint_seats[${ENDPOINT_SEATS[i]}]} == *0* ||
			" $*" == *,bus=rp"${ENDPOINT_SEATS[i]% *},addr=0.0,"* ]] ||
			misuse "${ENDPOINT_NAMES[i]} is function ${ENDPOINT_FUNCTIONS[i]}" \
				"of a device that has no function 0"
	done
}

# endpoints_last_port: the highest root port in use, or 0
endpoints_last_port()
{
	local seat last=0
	for seat in "${!endpoint_seats[@]}" "${!switches[@]}"; do
		seat=${seat% *}
		seat=${seat%.*}
		[[ $seat == root ]] || ((seat <= last)) || last=$seat
	done
	echo "$last"
}

# endpoints_emulator FOLDER: sets EMULATOR_ARGUMENTS; the sockets are to be in the folder.
endpoints_emulator()
{
	local i place
	EMULATOR_ARGUMENTS=()
	for i in "${!ENDPOINT_NAMES[@]}"; do
		place="name=${ENDPOINT_NAMES[i]},rid=${ENDPOINT_RIDS[i]},socket=$1/$i.sock"
		EMULATOR_ARGUMENTS+=(--function "$place${ENDPOINT_KEYS[i]}")
	done
}

# switch_qemu PORT: adds the switch behind a root port to QEMU_PORTS. Its ports have no speed to be set:
# QEMU's are for 2.5 GT/s.
switch_qemu()
{
	local device m address
	QEMU_PORTS+=(-device "x3130-upstream,id=sw$1,bus=rp$1,addr=0")
	for ((m = 1; m <= switches[$1]; m++)); do
		printf -v address '%#x' "$m"
		[[ -z ${switch_functions[$1]} ]] || address=0.$((m - 1)),multifunction=on
		printf -v device 'xio3130-downstream,id=rp%d.%d,bus=sw%d,port=%d,chassis=%d,slot=%d' \
			"$1" "$m" "$1" "$m" $((PORT_MAX + $1)) "$m"
		QEMU_PORTS+=(-device "$device,addr=$address,hotplug=off,power_controller_present=off")
	done
}

# ports_qemu PORTS: sets QEMU_PORTS, so many root ports and all switches. Their slots have no controls:
# what has power, and when, is nobody's business but QEMU's, and Linux need not look after them.
ports_qemu()
{
	local port device
	QEMU_PORTS=()
	for ((port = 1; port <= $1; port++)); do
		printf -v device 'pcie-root-port,id=rp%d,bus=pcie.0,addr=%#x,chassis=%d,slot=%d' \
			"$port" "$port" "$port" "$port"
		# Without a speed above 2.5 GT/s Linux cannot do a hot reset below the port.
		QEMU_PORTS+=(-device "$device,x-speed=5,hotplug=off,power_controller_present=off")
		[[ -z ${switches[$port]:-} ]] || switch_qemu "$port"
	done
}

# endpoints_qemu FOLDER: sets QEMU_ENDPOINTS; their sockets are in the folder.
endpoints_qemu()
{
	local i port slot bus multi device
	QEMU_ENDPOINTS=()
	for i in "${!ENDPOINT_NAMES[@]}"; do
		read -r port slot <<<"${ENDPOINT_SEATS[i]}"
		bus=rp$port
		[[ $port != root ]] || bus=pcie.0
		multi=false
		((${#endpoint_seats[$port $slot]} == 1)) || multi=true
		device='{"driver":"vfio-user-pci","romfile":"",'
		device+="\"id\":\"ep-${ENDPOINT_NAMES[i]}\",\"bus\":\"$bus\","
		device+="\"addr\":\"$(printf %x "$slot").${ENDPOINT_FUNCTIONS[i]}\","
		device+="\"multifunction\":$multi,"
		# Posted, a write to such a BAR can come later than the end of the request that it is of.
		[[ ${ENDPOINT_KEYS[i]} != *,memory-bar=* ]] || device+='"x-no-posted-writes":true,'
		device+="\"socket\":{\"type\":\"unix\",\"path\":\"$1/$i.sock\"}}"
		QEMU_ENDPOINTS+=(-device "$device")
	done
}

# placeholders_qemu: sets QEMU_PLACEHOLDERS. Firmware tells which functions of the root bus the IOMMU is for
# when it boots. A VM that is saved without endpoints has these in their place; it removes them itself, and
# QEMU saves nothing of them.
placeholders_qemu()
{
	local i port slot
	QEMU_PLACEHOLDERS=()
	for i in "${!ENDPOINT_NAMES[@]}"; do
		read -r port slot <<<"${ENDPOINT_SEATS[i]}"
		[[ $port == root ]] || continue
		QEMU_PLACEHOLDERS+=(-device
			"pci-testdev,addr=$(printf %x "$slot").${ENDPOINT_FUNCTIONS[i]},multifunction=on")
	done
}

# endpoints_help: a line for each
endpoints_help()
{
	local i
	for i in "${!ENDPOINT_NAMES[@]}"; do
		printf '  0000:%s  %s  %s\n' "${ENDPOINT_RIDS[i]}" "${ENDPOINT_NAMES[i]}" \
			"${ENDPOINT_KEYS[i]#,}"
	done
}
