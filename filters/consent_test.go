package filters

import "testing"

// TestConsentDoesNotPassUnderAnyName: the string says to the tenth of a second when it was
// made, in which no two visitors agree.
func TestConsentDoesNotPassUnderAnyName(t *testing.T) {
	for _, value := range []string{
		"CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA",
		"DBABMA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", // as iabgpp.com shows it
		"DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN",
		"COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA.IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQAIAgEAACEAAAAAgAQBAAAAAAAGBAAgAAAAAAAFAAECAAAgAAQARAEQAAAAAJAAIAAgAAAYQEAAAQmAgBC3ZAYzUw",
	} {
		for _, name := range []string{"X-Gpp", "X-Gdpr-String", "X-Tcf-Consent", "X-Acme", "X-Tenant"} {
			if m := scriptRequest(name, value); len(clean(m)) == 0 {
				t.Errorf("%s: %s passes", name, value)
			}
		}
	}
	for _, value := range []string{"C", "8e03978e-40d5-43dd-bc93-6894a57f9324", "CPXxRfAPXxRfAAfKABENB", "Customer-order-list-of-the-week", "Customer order, listed by the week", "DBABLA~BVVqAAAAAAA.QA", "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if m := scriptRequest("X-Consent-Id", value); len(clean(m)) > 0 {
			t.Errorf("%s does not pass", value)
		}
	}
}
