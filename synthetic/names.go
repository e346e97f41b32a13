package synthetic

// culture is where a name, a street and a language come from. The combinations are made up.
type culture struct {
	language              string // BCP 47
	country, city, postal string
	women, men, families  []string
	streets               []string
}

var cultures = []culture{
	{"es", "PE", "Arequipa", "04001", []string{"Lucia", "Rosario", "Ximena"}, []string{"Mateo", "Joaquin", "Teodoro"}, []string{"Mamani Rojas", "Huaman Salas", "Condori Vega"}, []string{"Calle de los Alfareros", "Pasaje Tres Molinos", "Avenida del Eucalipto"}},
	{"en", "NG", "Enugu", "400102", []string{"Adaeze", "Ifeoma", "Chinwe"}, []string{"Chukwuemeka", "Obinna", "Ikenna"}, []string{"Nwankwo-Eze", "Okonjo-Obi", "Uzochukwu"}, []string{"Palmgrove Close", "Old Ferry Crescent", "Ironwood Lane"}},
	{"ta", "IN", "Madurai", "625001", []string{"Kavitha", "Meenakshi", "Thenmozhi"}, []string{"Arunachalam", "Senthil", "Kathiravan"}, []string{"Subramaniyan", "Velmurugan", "Palanisamy"}, []string{"Jasmine Tank Street", "Second Weavers Lane", "Temple Car Road"}},
	{"ja", "JP", "Matsumoto", "390-0811", []string{"Haruka", "Misaki", "Chiyoko"}, []string{"Kazuhiro", "Takumi", "Shinnosuke"}, []string{"Kurosawa-Ito", "Minamoto", "Fujibayashi"}, []string{"Sakuragaoka-dori", "Kawabata Higashi", "Mizumoto-cho"}},
	{"de", "DE", "Quedlinburg", "06484", []string{"Mechthild", "Annegret", "Friederike"}, []string{"Hartmut", "Eberhard", "Siegbert"}, []string{"Brunnenmeier", "Vogelsänger", "Hollerbach"}, []string{"Am alten Storchenturm", "Lindenwinkel", "Klostermühlgasse"}},
	{"ar", "JO", "Salt", "19110", []string{"Rania", "Nadeen", "Sumayya"}, []string{"Abdelrahim", "Zuhair", "Mu'tasim"}, []string{"al-Khatibi", "al-Zaytouni", "Haddadin-Saleh"}, []string{"Olive Terrace Street", "Upper Spring Road", "Saddlers Stairs"}},
	{"pl", "PL", "Sandomierz", "27-600", []string{"Bronisława", "Zuzanna", "Halina"}, []string{"Przemysław", "Kazimierz", "Wojciech"}, []string{"Zielonogórski", "Kwiatkowiak", "Jaworzyna"}, []string{"ulica Starych Wierzb", "ulica Dzwonnicza", "Zaułek Garncarzy"}},
	{"vi", "VN", "Hội An", "51307", []string{"Nguyệt Minh", "Thanh Hương", "Bích Ngọc"}, []string{"Quang Hải", "Đình Phúc", "Trọng Nghĩa"}, []string{"Trương Vĩnh", "Đặng Hoàng", "Huỳnh Gia"}, []string{"Đường Hoa Giấy", "Ngõ Bến Thuyền", "Đường Cây Gạo"}},
	{"fr", "FR", "Semur-en-Auxois", "21140", []string{"Apolline", "Mathilde", "Clémence"}, []string{"Théodule", "Anatole", "Gaspard"}, []string{"Beauregardin", "Montclairval", "Desruisseaux"}, []string{"rue du Vieux Lavoir", "impasse des Tanneurs", "chemin de la Source"}},
	{"pt", "BR", "Ouro Preto", "35400-000", []string{"Iracema", "Terezinha", "Jussara"}, []string{"Benedito", "Anselmo", "Ubirajara"}, []string{"Carvalhaes Pinto", "Figueiral Lopes", "Tavares Moura"}, []string{"Ladeira do Ipê Amarelo", "Rua das Cabaças", "Travessa do Chafariz"}},
	{"am", "ET", "Gondar", "6200", []string{"Tigist", "Selamawit", "Mekdes"}, []string{"Yohannes", "Getachew", "Tesfaye"}, []string{"Woldemariam", "Gebreselassie", "Haileyesus"}, []string{"Fasil Garden Road", "Coffee Market Street", "Highland Bell Lane"}},
	{"tr", "TR", "Safranbolu", "67600", []string{"Gülbahar", "Nilüfer", "Şehrazat"}, []string{"Süleyman", "Çağatay", "Orhangazi"}, []string{"Demircioğlu", "Karabacak", "Yıldırımer"}, []string{"Bakırcılar Sokağı", "Çınaraltı Caddesi", "Saraçlar Yokuşu"}},
}
