package world

import "testing"

func TestZoneIDs(t *testing.T) {
	for zone, want := range map[string]string{
		"ap-northeast-1a": "apne1-az1", "us-east-1c": "use1-az3", "eu-central-1b": "euc1-az2",
		"ap-southeast-2a": "apse2-az1", "": "",
	} {
		if got := ZoneID(zone); got != want {
			t.Errorf("%s: %s, want %s", zone, got, want)
		}
	}
}
