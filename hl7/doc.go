// Package hl7 reads HL7 v2 messages, answers them, and says in FHIR R4 what they say; and what CDA documents say of themselves.
//
// It promises that a message is read as a whole or refused as a whole, with the reason in the words of HL7 table 0357; that nothing is
// invented: what has no place in FHIR is left out or kept as text, and a time without a zone stays a date; and that the same message
// gives the same bundle. It refuses what it can't be sure of: character sets that it doesn't know, processing ids that aren't the
// member's, batches, messages of types that it has no mapping for.
//
//	MSH|^~\&|ADT1|GHH|||20260302083000+0100||ADT^A01^ADT_A01|00017|P|2.5.1     Patient, if nobody has 8011
//	PID|1||8011^^^GHH^MR||Rossi^Maria||19800101|F                         →    Encounter V1, in progress
//	PV1|1|I|W3^12^1||||||||||||||||V1^^^GHH^VN
//
//	MSH|^~\&|||ADT1|GHH|20260302083001+0100||ACK^A01^ACK|A00017|P|2.5.1
//	MSA|AA|00017
//
// See spec/hl7.md. Sources: HL7 v2.5.1 and v2.8, and the HL7 v2-to-FHIR implementation guide.
package hl7
