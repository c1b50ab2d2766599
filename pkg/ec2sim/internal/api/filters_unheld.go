package api

import (
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// unheldFilters are filters EC2 has and the stand-in does not hold, by operation.
var unheldFilters = map[string][]string{
	"DescribeInstances": strings.Fields(`affinity block-device-mapping.attach-time
		block-device-mapping.delete-on-termination block-device-mapping.device-name
		block-device-mapping.status block-device-mapping.volume-id boot-mode capacity-reservation-id
		capacity-reservation-specification.capacity-reservation-preference
		capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id
		capacity-reservation-specification.capacity-reservation-target.` +
		`capacity-reservation-resource-group-arn
		client-token current-instance-boot-mode ebs-optimized ena-support enclave-options.enabled
		hibernation-options.configured host-id hypervisor iam-instance-profile.id instance-lifecycle
		kernel-id launch-index maintenance-options.auto-recovery metadata-options.http-endpoint
		metadata-options.http-protocol-ipv4 metadata-options.http-protocol-ipv6
		metadata-options.http-put-response-hop-limit metadata-options.http-tokens
		metadata-options.instance-metadata-tags metadata-options.state monitoring-state
		network-interface.addresses.association.carrier-ip
		network-interface.addresses.association.customer-owned-ip
		network-interface.association.carrier-ip network-interface.association.customer-owned-ip
		network-interface.deny-all-igw-traffic network-interface.ipv4-prefixes.ipv4-prefix
		network-interface.ipv6-native network-interface.ipv6-prefixes.ipv6-prefix
		network-interface.outpost-arn network-interface.public-dns-name
		network-performance-options.bandwidth-weighting operator.managed operator.principal
		outpost-arn placement-group-name placement-partition-number platform platform-details
		private-dns-name-options.enable-resource-name-dns-a-record
		private-dns-name-options.enable-resource-name-dns-aaaa-record
		private-dns-name-options.hostname-type product-code product-code.type ramdisk-id requester-id
		root-device-name spot-instance-request-id tpm-support usage-operation
		usage-operation-update-time virtualization-type`),
	"DescribeInstanceStatus": strings.Fields(`attached-ebs-status.status event.code
		event.description event.instance-event-id event.not-after event.not-before
		event.not-before-deadline operator.managed operator.principal`),
	"DescribeRouteTables": strings.Fields(`association.gateway-id route.destination-prefix-list-id`),
	"DescribeSecurityGroups": strings.Fields(`egress.ip-permission.prefix-list-id
		ip-permission.prefix-list-id`),
	"DescribeSubnets": strings.Fields(`customer-owned-ipv4-pool enable-dns64
		enable-lni-at-device-index map-customer-owned-ip-on-launch outpost-arn
		private-dns-name-options-on-launch.hostname-type
		private-dns-name-options-on-launch.enable-resource-name-dns-a-record
		private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record`),
}

// errFilter refuses a filter the operation has not, here or at all.
func errFilter(operation, name string) *refusal.Error {
	if slices.Contains(unheldFilters[operation], name) {
		return refusal.New("UnsupportedOperation", "ec2sim does not implement the filter %s.", name)
	}
	return refusal.InvalidValue("The filter '%s' is invalid", name)
}
